"""HL7 v2 as France speaks it: reading and writing ER7, PAM.fr segments, documents in ORU and MDM, acknowledgements. Pure."""
