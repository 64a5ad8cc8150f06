//! Connections that are held open, slow bodies, large heads.

use crate::support::{database::Backend, gateway::Gateway};

#[test]
fn gateway_answers() {
    let now = waybill::time::Timestamp::from_seconds(1_000).expect("an instant");
    let gateway = Gateway::start(Backend::Sqlite, now, &[]);
    assert_eq!(gateway.post("/webhooks/unknown", &[], b"").status, 404);
}
