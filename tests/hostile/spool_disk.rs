//! A full disk of the spool: callbacks are answered 503, what was acknowledged is drained, and the running gateway takes callbacks again
//! once there is room.

use std::{
    fs,
    time::{Duration, Instant},
};

use waybill::time::Timestamp;

use crate::{
    full_disk::{SmallDisk, taken},
    support::{
        database::Backend,
        gateway::Gateway,
        twilio::{self, TOKEN},
    },
};

#[test]
fn full_disk_of_the_spool_heals_itself() {
    let Some(disk) = SmallDisk::mount() else { return };
    let folder = disk.0.path().join("spool");
    let variables = [
        ("TWILIO_AUTH_TOKEN", TOKEN.to_owned()),
        ("SPOOL_PATH", folder.display().to_string()),
        ("SPOOL_MODE", "always".to_owned()),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value));
    let gateway = Gateway::start(Backend::Sqlite, Timestamp::from_seconds(1_773_500_000).expect("an instant"), &variables);
    let mut number = 0;
    for filling in 0..3 {
        let deadline = Instant::now() + Duration::from_secs(10);
        while taken(&gateway, number, 1, 100) == 0 {
            assert!(Instant::now() < deadline, "filling {filling}: there is room, but callbacks are rejected");
        }
        number += 1 + taken(&gateway, number + 1, 10, 20 << 10);
        let ballast = disk.fill();
        let more = taken(&gateway, number, 1_000, 40 << 10);
        assert!(more < 1_000, "filling {filling}: nothing is rejected");
        number += more;
        let rejected =
            twilio::form(&gateway, &format!("MessageSid=SM{number:032}&MessageStatus=sent&X={}", "y".repeat(40 << 10)));
        assert_eq!((rejected.status, rejected.header("retry-after").is_some()), (503, true));
        assert!(gateway.running().gateway.intake.queue().expect("a spool").state().is_failing);
        fs::remove_file(ballast).expect("the ballast");
    }
    let database = gateway.stop();
    let stored = database.query("SELECT CAST(count(*) AS TEXT) AS row FROM message_external_ids").concat();
    assert!(stored.parse::<usize>().is_ok_and(|stored| stored >= number), "{stored} of {number} acknowledged");
    assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 0, "everything is drained");
}
