//! Rejected requests: bytes on the disk, and room for those of other networks.
