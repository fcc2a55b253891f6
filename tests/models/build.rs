//! Tells `record/` of ops-sdk, which is built in here, to use the atomics of the models.

fn main() {
    println!("cargo::rustc-cfg=ops_model");
    println!("cargo::rerun-if-changed=build.rs");
}
