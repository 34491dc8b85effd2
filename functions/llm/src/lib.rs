//! Models: the keys that providers are called with, the catalog, and what a model's name comes to.

mod catalog;
mod create;
mod delete;
mod list;
mod patch;
mod resolve;
mod rotate;
mod values;

shared::function! {
    routes!(CanReadLlmKeys: list::list_keys, CanWriteLlmKeys: create::create_key),
    routes!(CanWriteLlmKeys: patch::patch_key, CanWriteLlmKeys: delete::delete_key),
    routes!(CanWriteLlmKeys: rotate::rotate_key),
    routes!(CanReadLlmKeys: catalog::get_catalog),
    routes!(CanReadLlmKeys: resolve::resolve_model),
}
