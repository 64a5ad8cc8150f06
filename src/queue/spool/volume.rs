//! The file systems on which a spool is not durable.

use std::path::Path;

use rustix::fs::statfs;

/// Numbers of file systems (`linux/magic.h`), and the risk of each.
const RISKS: [(u32, &str); 13] = [
    (0x0102_1994, MEMORY),
    (0x8584_58f6, MEMORY),
    (0x794c_7630, "is in the layer of a container, which is deleted with it: mount a volume"),
    (0x0000_6969, NETWORK),
    (0xff53_4d42, NETWORK),
    (0xfe53_4d42, NETWORK),
    (0x0000_517b, NETWORK),
    (0x00c3_6400, NETWORK),
    (0x5346_414f, NETWORK),
    (0x0102_1997, NETWORK),
    (0x0bd0_0bd0, NETWORK),
    (0x0116_1970, NETWORK),
    (0x6573_5546, "is on a file system of a user's program (FUSE), which may not store what it has confirmed"),
];

const MEMORY: &str = "is in memory (tmpfs): its callbacks are lost with the machine or the pod";
const NETWORK: &str = "is on a network file system, whose locks and syncs a spool cannot rely on: use a local disk";

/// The reason for which a spool in this folder would not be durable.
pub fn risk(folder: &Path) -> Option<&'static str> {
    // The lower half is the number, whatever the width of the field.
    let [a, b, c, d, ..] = statfs(folder).ok()?.f_type.to_le_bytes();
    risk_of(u32::from_le_bytes([a, b, c, d]))
}

fn risk_of(number: u32) -> Option<&'static str> {
    RISKS.iter().find(|(known, _)| *known == number).map(|(_, risk)| *risk)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_local_disks_are_without_risk() {
        const EXT4: u32 = 0xef53;
        const XFS: u32 = 0x5846_5342;
        const BTRFS: u32 = 0x9123_683e;
        for number in [EXT4, XFS, BTRFS] {
            assert_eq!(risk_of(number), None);
        }
        assert_eq!(risk_of(0x6969), Some(NETWORK));
        assert_eq!(risk(Path::new("/dev/shm")), Some(MEMORY));
    }
}
