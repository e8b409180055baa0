//! Compiles `proto/` with protox, so that no `protoc` need be installed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A link to the workspace's folder; in a package, the folder itself.
    let root = "proto";
    let files = [
        "proto/recado/v1/chat.proto",
        "proto/recado/v1/content.proto",
        "proto/recado/v1/datagram.proto",
        "proto/recado/v1/file.proto",
    ];
    println!("cargo:rerun-if-changed={root}");
    let descriptors = protox::compile(files, [root])?;
    prost_build::Config::new().compile_fds(descriptors)?;
    Ok(())
}
