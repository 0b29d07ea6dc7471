"""MSSanté: the mail, the IHE XDM archive, PDF/A renderings, addresses and the national directory file. Pure."""
