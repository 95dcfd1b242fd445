//! Who may import whom: the table of the architecture, checked against the manifests.

use crate::workspace::{Dependency, Package};

/// What one of our crates may import of ours.
struct Rule {
    package: &'static str,
    always: &'static [&'static str],
    /// Only behind a feature.
    optional: &'static [&'static str],
}

const CORE: &str = "cloakroom-core";
/// Every crate may run the suite in its tests.
const CONFORMANCE: &str = "cloakroom-conformance";
/// Every crate may start real servers in its tests.
const TEST_SERVERS: &str = "cloakroom-test-servers";

const fn rule(package: &'static str, always: &'static [&'static str]) -> Rule {
    Rule {
        package,
        always,
        optional: &[],
    }
}

const RULES: [Rule; 11] = [
    rule(CORE, &[]),
    rule("cloakroom-tokens", &[CORE]),
    rule("cloakroom-stores", &[CORE]),
    rule("cloakroom-cluster", &[CORE]),
    rule("cloakroom-audit", &[CORE]),
    rule(CONFORMANCE, &[CORE]),
    rule(TEST_SERVERS, &[]),
    Rule {
        package: "cloakroom",
        always: &[CORE],
        optional: &["cloakroom-tokens", "cloakroom-stores", "cloakroom-cluster"],
    },
    rule(
        "cloakroom-server",
        &[
            CORE,
            "cloakroom",
            "cloakroom-tokens",
            "cloakroom-stores",
            "cloakroom-cluster",
            "cloakroom-audit",
        ],
    ),
    // What stands in an example must be what a user can write; the suite is published for stores outside.
    rule("cloakroom-examples", &["cloakroom", CONFORMANCE]),
    rule("xtask", &[]),
];

/// Every edge that the table does not have.
pub(super) fn check(members: &[Package]) -> Vec<String> {
    let mut errors = Vec::new();
    for package in members {
        let Some(rule) = RULES.iter().find(|rule| rule.package == package.name) else {
            errors.push(format!(
                "{}: a crate without a row in xtask/src/tidy/edges.rs",
                package.name
            ));
            continue;
        };
        let ours = |name: &str| members.iter().any(|member| member.name == name);
        for dependency in package
            .dependencies
            .iter()
            .filter(|dependency| ours(&dependency.name))
        {
            errors.extend(wrong(rule, dependency));
        }
    }
    errors
}

fn wrong(rule: &Rule, dependency: &Dependency) -> Option<String> {
    let name = dependency.name.as_str();
    let is_dev = dependency.kind.as_deref() == Some("dev");
    let is_allowed = rule.always.contains(&name)
        || rule.optional.contains(&name) && (dependency.optional || is_dev)
        || is_dev && [CONFORMANCE, TEST_SERVERS].contains(&name)
        // A crate's own tests may ask for its own features.
        || is_dev && name == rule.package;
    if is_allowed {
        return None;
    }
    let why = if rule.optional.contains(&name) {
        "allowed only as an optional dependency"
    } else {
        "the architecture has no such edge"
    };
    Some(format!("{} imports {name}: {why}", rule.package))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The members; the first one has the dependencies `name [dev] [optional]`.
    fn members(first: &str, dependencies: &[&str], others: &[&str]) -> Vec<Package> {
        let package = |name: &str| Package {
            name: name.into(),
            version: String::new(),
            license: None,
            source: None,
            dependencies: Vec::new(),
        };
        let mut members: Vec<Package> = std::iter::once(first)
            .chain(others.iter().copied())
            .map(package)
            .collect();
        for line in dependencies {
            let words: Vec<&str> = line.split(' ').collect();
            members[0].dependencies.push(Dependency {
                name: words[0].into(),
                source: None,
                kind: words.contains(&"dev").then(|| "dev".into()),
                optional: words.contains(&"optional"),
                path: None,
            });
        }
        members
    }

    #[test]
    fn the_edges_of_the_table_pass() {
        let all = [CORE, "cloakroom-stores", CONFORMANCE];
        let lines = [
            CORE,
            "cloakroom-stores optional",
            "cloakroom-conformance dev",
            "serde",
        ];
        assert!(check(&members("cloakroom", &lines, &all)).is_empty());
        assert!(check(&members("cloakroom", &["cloakroom-stores dev"], &all)).is_empty());
        assert!(
            check(&members(
                "cloakroom-server",
                &["cloakroom", "cloakroom-stores"],
                &["cloakroom"]
            ))
            .is_empty()
        );
    }

    #[test]
    fn any_other_edge_fails() {
        for (from, edge, to) in [
            (CORE, "cloakroom-stores", "cloakroom-stores"),
            (CORE, "cloakroom dev", "cloakroom"),
            ("cloakroom-stores", "cloakroom", "cloakroom"),
            ("cloakroom-server", "cloakroom-conformance", CONFORMANCE),
            ("cloakroom", "cloakroom-stores", "cloakroom-stores"),
            ("xtask", "cloakroom-core", CORE),
        ] {
            let errors = check(&members(from, &[edge], &[to]));
            assert_eq!(errors.len(), 1, "{from} -> {edge}: {errors:?}");
        }
    }

    #[test]
    fn a_crate_without_a_row_fails() {
        assert!(check(&members("cloakroom-new", &[], &[]))[0].contains("without a row"));
    }
}
