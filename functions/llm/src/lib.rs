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
    routes!(list::list_keys, create::create_key),
    routes!(patch::patch_key, delete::delete_key),
    routes!(rotate::rotate_key),
    routes!(catalog::get_catalog),
    routes!(resolve::resolve_model),
}
