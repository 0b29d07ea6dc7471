"""The HPRIM formats, recognised and named: HPRIM Santé, HPRIM XML, HPRIM Médecin. A format room: nothing of the hub."""
