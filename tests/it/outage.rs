//! Postgres that crashes, hangs, or cannot be reached at the start.

use crate::support::cluster::Cluster;

#[test]
fn cluster_of_the_tests_survives_what_they_do_to_it() {
    let cluster = Cluster::start();
    cluster.execute("CREATE TABLE marks (mark TEXT); INSERT INTO marks VALUES ('kept')");
    cluster.kill();
    cluster.run();
    cluster.freeze();
    cluster.thaw();
    cluster.stop();
    cluster.run();
    assert_eq!(cluster.query("SELECT mark AS row FROM marks"), ["kept"]);
}
