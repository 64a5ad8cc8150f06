//! Migrations and fixtures are compiled in; a new file in either folder must lead to a new build.

use std::fs;

fn main() {
    for source in ["migrations", "fixtures", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={source}");
    }
    println!("cargo::rustc-env=LIBPQ_VERSION={}", bundled_libpq().unwrap_or_default());
}

/// The version of the bundled libpq, which the crate with its source has as build metadata: `0.3.14+libpq-18.6`.
fn bundled_libpq() -> Option<String> {
    let lock = fs::read_to_string("Cargo.lock").ok()?;
    let package = lock.split("[[package]]").find(|package| package.contains("name = \"pq-src\""))?;
    Some(package.split_once("+libpq-")?.1.split_once('"')?.0.to_owned())
}
