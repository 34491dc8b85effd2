//! Makes `plans.yaml` into JSON, which the program reads: a reader of YAML would be a twentieth of every function.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

#[allow(clippy::print_stdout, reason = "how a build script speaks to cargo")]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=../../plans.yaml");
    let catalog: serde_json::Value = serde_saphyr::from_str(&fs::read_to_string("../../plans.yaml")?)?;
    let directory = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo names no OUT_DIR")?);
    fs::write(directory.join("plans.json"), catalog.to_string())?;
    Ok(())
}
