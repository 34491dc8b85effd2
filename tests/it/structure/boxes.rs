//! Which futures are boxed: those of the entry points of services, so that their code is compiled once and not in each
//! crate that awaits it. Nothing else is boxed for size.

use syn::visit::{self, Visit};
use syn::{Attribute, ImplItemFn, ItemFn, ItemMod, Signature, Visibility};

use super::arrows::{lines, root, rust_files};
use super::uses::is_for_tests;

/// Where a box is what a type asks for.
const ALLOWED: &[(&str, &str)] = &[
    ("shared/types/src/ids/seed.rs", "a future that is polled inside another and may not move"),
    ("shared/platform/src/outbound_http/mod.rs", "a lookup is a trait object, so that tests have their own"),
    ("shared/platform/src/aws/call.rs", "the SDK's requests, in a crate that seldom changes"),
    ("shared/clients/src/mcp/session.rs", "a function that calls itself"),
    ("functions/platform_mcp/src/", "a table of functions"),
    ("local/src/server.rs", "a stream with a deadline, which may not move"),
];

/// The public asynchronous functions that are not boxed.
#[derive(Default)]
struct Unboxed(Vec<String>);

impl Unboxed {
    fn of(text: &str) -> Vec<String> {
        let mut unboxed = Self::default();
        unboxed.visit_file(&syn::parse_file(text).unwrap());
        unboxed.0
    }

    fn look(&mut self, visibility: &Visibility, attributes: &[Attribute], signature: &Signature) {
        let is_boxed = attributes.iter().any(|attribute| attribute.path().is_ident("boxed"));
        if matches!(visibility, Visibility::Public(_)) && signature.asyncness.is_some() && !is_boxed {
            self.0.push(signature.ident.to_string());
        }
    }
}

impl<'ast> Visit<'ast> for Unboxed {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.look(&item.vis, &item.attrs, &item.sig);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.look(&item.vis, &item.attrs, &item.sig);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }
}

#[test]
fn entry_points_of_services_are_boxed() {
    let mut found = Vec::new();
    for path in rust_files(&root().join("shared/services/src")) {
        let names = Unboxed::of(&std::fs::read_to_string(&path).unwrap());
        found.extend(names.into_iter().map(|name| format!("{}: {name}", path.display())));
    }
    assert!(
        found.is_empty(),
        "public asynchronous functions of services need #[boxed], or to be pub(crate):\n{}",
        found.join("\n")
    );
}

#[test]
fn an_unboxed_entry_point_is_found() {
    let text = "pub async fn bare() {} #[boxed] pub async fn held() {} pub(crate) async fn inner() {} pub fn plain() {}
                impl Thing { pub async fn method(&self) {} async fn own(&self) {} }
                #[cfg(test)] mod tests { pub async fn fixture() {} }";
    assert_eq!(Unboxed::of(text), ["bare", "method"]);
}

#[test]
fn nothing_else_is_boxed_for_size() {
    let is_test = |line: &str| line.contains("/tests.rs:") || line.contains("/tests/");
    let root = root();
    let mut boxes = Vec::new();
    for directory in ["shared", "functions", "local"] {
        boxes.extend(lines(directory, |line| line.contains("Box::pin(")));
    }
    boxes.retain(|line| !is_test(line));
    let at = |line: &str, place: &str| line.starts_with(&root.join(place).display().to_string());
    let wrong: Vec<&String> =
        boxes.iter().filter(|line| !ALLOWED.iter().any(|(place, _)| at(line, place))).collect();
    assert!(wrong.is_empty(), "boxes that no type asks for: {wrong:#?}");
    let unused: Vec<_> =
        ALLOWED.iter().filter(|(place, _)| !boxes.iter().any(|line| at(line, place))).collect();
    assert!(unused.is_empty(), "there is no box any more: {unused:#?}");
}
