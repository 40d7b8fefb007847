#![no_main]
skep_libcontainer_fuzz::fuzz!("state");
