//! The same with npm's real IPFS daemons.
