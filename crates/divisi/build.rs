//! How the program is linked: nothing about it depends on what is linked.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is_linux = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux");
    if is_linux {
        // Functions that came out the same are one: generics make many of them.
        println!("cargo:rustc-link-arg-bins=-Wl,--icf=all");
        // A program that can be loaded anywhere has a list of the places that depend on where; packed it is a tenth as long.
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
