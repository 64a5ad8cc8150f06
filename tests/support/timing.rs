//! Duration of each test, for the report of `./test`: one line per test in the file that `TEST_TIMES` names.

use std::{
    fs::OpenOptions,
    io::Write,
    thread,
    time::{Duration, Instant},
};

use libtest_mimic::Trial;

/// A trial that fails by panicking.
pub fn trial(name: impl Into<String>, run: impl FnOnce() + Send + 'static) -> Trial {
    let name = name.into();
    Trial::test(name.clone(), move || {
        let started = Instant::now();
        run();
        record(&name, started.elapsed());
        Ok(())
    })
}

/// Times the test of this thread from here to the thread's end. The standard harness has no times, but it gives each test a thread
/// with the test's name.
pub fn start() {
    RUNNING.with(|_| ());
}

thread_local! {
    static RUNNING: Running = Running { test: thread::current().name().map(str::to_owned), started: Instant::now() };
}

struct Running {
    test: Option<String>,
    started: Instant,
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(test) = self.test.as_deref().filter(|name| name.contains("::")) {
            record(test, self.started.elapsed());
        }
    }
}

fn record(test: &str, took: Duration) {
    let Some(path) = super::variable("TEST_TIMES") else { return };
    let file = OpenOptions::new().create(true).append(true).open(path);
    // One write, because several binaries append to the file.
    drop(file.and_then(|mut file| file.write_all(format!("{:8.2} s  {test}\n", took.as_secs_f64()).as_bytes())));
}
