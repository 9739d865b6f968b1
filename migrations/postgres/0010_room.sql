-- Each content is changed soon after it came (its first probe, or an update that replaces it). With
-- room on its page that touches no index.
ALTER TABLE contents SET (fillfactor = 80);
