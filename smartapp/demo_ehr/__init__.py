"""The demo hospital: charts, FHIR R4, SMART and CDS Hooks as a stranger speaks them; it knows nothing of our code."""
