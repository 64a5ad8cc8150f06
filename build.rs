//! Migrations and fixtures are compiled in; a new file in either folder must lead to a new build.

fn main() {
    for folder in ["migrations", "fixtures"] {
        println!("cargo::rerun-if-changed={folder}");
    }
}
