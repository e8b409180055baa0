fn _x() {}
pub(crate) async fn run(_: &crate::context::Context, _: crate::cli::Demo) -> crate::context::Exit {
    crate::context::Exit::Done
}
