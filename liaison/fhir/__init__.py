"""FHIR R4 resources as this hub writes them: FR Core patients and establishments, event notifications (NdE)."""
