-- From which address the last right bytes of a replica came, as health tells replicas apart. Null:
-- none came since this is written down; then the address of the node stands for it.
ALTER TABLE replicas ADD COLUMN address TEXT;
