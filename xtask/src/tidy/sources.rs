//! Where dependencies come from: a registry, or a folder of this workspace.

use std::path::Path;

use crate::workspace::{Dependency, Package};

/// Every dependency from git or from a folder outside, direct or not.
pub(super) fn check(root: &Path, members: &[Package], packages: &[Package]) -> Vec<String> {
    let direct = members.iter().flat_map(|package| {
        let wrong = move |dependency: &Dependency| {
            problem(root, dependency).map(|problem| {
                format!(
                    "{}: dependency {} is {problem}",
                    package.name, dependency.name
                )
            })
        };
        package.dependencies.iter().filter_map(wrong)
    });
    // A direct one was reported above with the manifest to edit; this finds what dependencies pull in.
    let named = |name: &str| {
        members
            .iter()
            .flat_map(|member| &member.dependencies)
            .any(|direct| direct.name == name)
    };
    let indirect = packages
        .iter()
        .filter(|package| is_git(package.source.as_deref()) && !named(&package.name))
        .map(|package| format!("{} {} is from git", package.name, package.version));
    direct.chain(indirect).collect()
}

fn problem(root: &Path, dependency: &Dependency) -> Option<&'static str> {
    if is_git(dependency.source.as_deref()) {
        return Some("from git");
    }
    let outside = dependency
        .path
        .as_ref()
        .is_some_and(|path| !path.starts_with(root));
    outside.then_some("a path outside the workspace")
}

fn is_git(source: Option<&str>) -> bool {
    source.is_some_and(|source| source.starts_with("git+"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, source: Option<&str>, dependencies: Vec<Dependency>) -> Package {
        let source = source.map(str::to_owned);
        Package {
            name: name.into(),
            version: "1.0.0".into(),
            license: None,
            source,
            dependencies,
        }
    }

    fn dependency(source: Option<&str>, path: Option<&str>) -> Dependency {
        let (source, path) = (source.map(str::to_owned), path.map(Into::into));
        Dependency {
            name: "thing".into(),
            source,
            kind: None,
            optional: false,
            path,
        }
    }

    fn check_one(dependency: Dependency) -> Vec<String> {
        check(
            Path::new("/w"),
            &[package("cloakroom", None, vec![dependency])],
            &[],
        )
    }

    #[test]
    fn a_registry_and_the_workspace_are_fine() {
        assert!(check_one(dependency(Some("registry+index"), None)).is_empty());
        assert!(check_one(dependency(None, Some("/w/crates/core"))).is_empty());
    }

    #[test]
    fn git_and_foreign_folders_fail() {
        assert_eq!(
            check_one(dependency(Some("git+ssh://x"), None)),
            ["cloakroom: dependency thing is from git"]
        );
        assert!(
            check_one(dependency(None, Some("/workshop/core")))[0]
                .contains("outside the workspace")
        );
    }

    #[test]
    fn git_in_the_depth_fails() {
        let packages = [package("deep", Some("git+https://x"), vec![])];
        assert_eq!(
            check(Path::new("/w"), &[], &packages),
            ["deep 1.0.0 is from git"]
        );
    }
}
