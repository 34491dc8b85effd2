//! Which file of a crate names what another defines. A name that a module hands on (`pub use`) counts for the file that
//! defines it, and tests do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, UseTree, Visibility};

use super::arrows::{root, rust_files};

/// A module's path from the root of its crate.
type Module = Vec<String>;

/// The files of a crate by their modules.
#[derive(Default)]
struct Files {
    files: BTreeMap<Module, (PathBuf, syn::File)>,
    /// What a module hands on under a name: the path from the root.
    handed_on: BTreeMap<(Module, String), Module>,
}

impl Files {
    fn read(source: &Path) -> Self {
        let mut all = Self::default();
        for path in rust_files(source) {
            let text = std::fs::read_to_string(&path).unwrap();
            let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let relative = path.strip_prefix(source).unwrap().with_extension("");
            let mut module: Module = relative.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
            if module.last().is_some_and(|last| last == "mod" || last == "lib") {
                module.pop();
            }
            all.files.insert(module, (path, file));
        }
        let handed_on: Vec<_> =
            all.files.iter().flat_map(|(module, (_, file))| all.hands_on(module, file)).collect();
        all.handed_on = handed_on.into_iter().collect();
        all
    }

    fn hands_on(&self, module: &Module, file: &syn::File) -> Vec<((Module, String), Module)> {
        let uses = file.items.iter().filter_map(|item| match item {
            Item::Use(item) if !matches!(item.vis, Visibility::Inherited) => Some(item),
            _ => None,
        });
        let paths = uses.flat_map(|item| paths(&item.tree));
        let known =
            paths.filter_map(|(path, name)| Some(((module.clone(), name), self.absolute(module, &path)?)));
        known.collect()
    }

    /// A path from the root; none when it leaves the crate.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Module> {
        let first = path.first()?;
        let mut from = module.clone();
        let rest = match first.as_str() {
            "crate" => {
                from.clear();
                &path[1..]
            }
            "self" => &path[1..],
            "super" => {
                let up = path.iter().take_while(|part| *part == "super").count();
                from.truncate(from.len().checked_sub(up)?);
                &path[up..]
            }
            child => {
                let inside = [module.clone(), vec![child.to_owned()]].concat();
                if !self.files.contains_key(&inside) {
                    return None;
                }
                path
            }
        };
        Some([from, rest.to_vec()].concat())
    }

    /// The module of the file that defines what a path from the root names.
    fn definer(&self, path: &[String], left: usize) -> Option<Module> {
        let module = (0..=path.len()).rev().map(|length| path[..length].to_vec());
        let module = module.into_iter().find(|module| self.files.contains_key(module))?;
        let name = path.get(module.len());
        match name.and_then(|name| self.handed_on.get(&(module.clone(), name.clone()))) {
            Some(other) if left > 0 => self.definer(other, left - 1),
            _ => Some(module),
        }
    }

    /// Which modules each names something of.
    fn uses(&self) -> BTreeMap<&Module, BTreeSet<Module>> {
        let mut found = BTreeMap::new();
        for (module, (_, file)) in
            self.files.iter().filter(|(module, _)| !module.iter().any(|part| is_test(part)))
        {
            let mut named = Named::default();
            named.visit_file(file);
            let definers = named.0.iter().filter_map(|path| self.definer(&self.absolute(module, path)?, 8));
            found.insert(module, definers.filter(|other| other != module).collect());
        }
        found
    }
}

fn is_test(module: &str) -> bool {
    module == "tests" || module == "fixture"
}

pub(super) fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|condition| condition == "test")
    })
}

/// The paths that code names, but for what it hands on and what tests name.
#[derive(Default)]
struct Named(Vec<Vec<String>>);

impl<'ast> Visit<'ast> for Named {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        // Inside a module that stands in the same file `super` is this file.
        if item.content.is_none() && !is_for_tests(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if matches!(item.vis, Visibility::Inherited) && !is_for_tests(&item.attrs) {
            self.0.extend(paths(&item.tree).into_iter().map(|(path, _)| path));
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if segments.len() > 1 {
            self.0.push(segments);
        }
        visit::visit_path(self, path);
    }
}

/// The paths of a `use`, each with the name that it makes known.
fn paths(tree: &UseTree) -> Vec<(Vec<String>, String)> {
    match tree {
        UseTree::Path(path) => {
            let first = path.ident.to_string();
            let inner = paths(&path.tree).into_iter();
            inner.map(|(rest, name)| ([vec![first.clone()], rest].concat(), name)).collect()
        }
        UseTree::Name(name) if name.ident == "self" => vec![(Vec::new(), String::new())],
        UseTree::Name(name) => vec![(vec![name.ident.to_string()], name.ident.to_string())],
        UseTree::Rename(rename) => vec![(vec![rename.ident.to_string()], rename.rename.to_string())],
        UseTree::Glob(_) => vec![(Vec::new(), String::new())],
        UseTree::Group(group) => group.items.iter().flat_map(paths).collect(),
    }
}

/// The modules that can be reached from one.
fn reached<'a>(from: &'a Module, uses: &'a BTreeMap<&Module, BTreeSet<Module>>) -> BTreeSet<&'a Module> {
    let mut seen = BTreeSet::new();
    let mut left = vec![from];
    while let Some(module) = left.pop() {
        for next in uses.get(module).into_iter().flatten().filter(|next| seen.insert(*next)) {
            left.push(next);
        }
    }
    seen
}

/// The arrows of all circles, as text.
fn circles(source: &Path) -> Vec<String> {
    let files = Files::read(source);
    let uses = files.uses();
    let reached: BTreeMap<&Module, BTreeSet<&Module>> =
        uses.keys().map(|module| (*module, reached(module, &uses))).collect();
    let mut found = Vec::new();
    for (module, others) in &uses {
        for other in others.iter().filter(|other| reached.get(other).is_some_and(|all| all.contains(module)))
        {
            found.push(format!("{} -> {}", module.join("::"), other.join("::")));
        }
    }
    found
}

#[test]
fn files_of_a_crate_name_each_other_in_one_direction() {
    let metadata = ["shared", "functions"].map(|parent| std::fs::read_dir(root().join(parent)).unwrap());
    let members = metadata.into_iter().flatten().map(|entry| entry.unwrap().path().join("src"));
    let members = members.chain(["local", "embedded"].map(|name| root().join(name).join("src")));
    let mut found = Vec::new();
    for source in members.filter(|source| source.is_dir()) {
        found.extend(circles(&source).into_iter().map(|arrow| format!("{}: {arrow}", source.display())));
    }
    assert!(found.is_empty(), "files name each other in circles:\n{}", found.join("\n"));
}

#[test]
fn a_circle_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write("lib.rs", "mod one; mod two; pub use one::One;");
    write("one.rs", "use crate::two::Two; pub struct One(Two);");
    write("two.rs", "pub struct Two; impl Two { pub fn of(_: &crate::One) {} }");
    assert_eq!(circles(directory.path()), ["one -> two", "two -> one"]);
    write("two.rs", "pub struct Two; #[cfg(test)] mod tests { use crate::One; }");
    assert!(circles(directory.path()).is_empty());
}
