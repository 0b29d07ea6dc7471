"""CDA R2 as the CI-SIS constrains it: one hardened parser, the header, the body, XDS metadata. Pure."""
