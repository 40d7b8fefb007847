//! Runs a bundle as a container, waits until it has ended, and removes it.
//!
//! ```text
//! cargo run --example run -- /path/to/bundle
//! ```

use libcontainer::{Bundle, CreateOptions, StateRoot};
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: run BUNDLE")?;
    let bundle = Bundle::load(Path::new(&path))?;
    let root = StateRoot::new(std::env::temp_dir().join("sandboxes"));
    let id = format!("sandbox-{}", std::process::id());
    let created = root.run(&id, &bundle, &CreateOptions::default())?;
    let status = created.init.wait()?;
    created.container.delete(false)?;
    println!("{id} ended with {status}");
    Ok(())
}
