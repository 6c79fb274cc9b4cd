//! From a failed request to what a user can act on.

use super::failure::Failure;
use crate::store::StoreError;
use crate::wire::clean_text;

/// The longest text of the API server's that is passed on; a refused quota takes some 300.
const LONGEST_MESSAGE: usize = 600;

/// What a request is about, as an access rule names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt<'a> {
    /// Such as "get".
    pub verb: &'static str,
    /// What it concerns.
    pub resource: Resource,
    /// The object's name, unless it concerns several.
    pub name: Option<&'a str>,
    /// Its namespace.
    pub namespace: &'a str,
}

/// The two kinds of objects that the store is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// Holds plans and the abort.
    ConfigMaps,
    /// Each holds a runner's report.
    Leases,
}

impl Resource {
    fn plural(self) -> &'static str {
        match self {
            Self::ConfigMaps => "configmaps",
            Self::Leases => "leases",
        }
    }

    fn group(self) -> &'static str {
        match self {
            Self::ConfigMaps => "",
            Self::Leases => "coordination.k8s.io",
        }
    }
}

impl Attempt<'_> {
    /// What it came to.
    pub fn failed(&self, failure: &Failure) -> StoreError {
        let unavailable = |detail: String| StoreError::Unavailable {
            action: self.to_string(),
            detail,
        };
        let status = match failure {
            Failure::Refused(status) => status,
            Failure::TimedOut => {
                return unavailable("the API server has not answered in time".to_owned());
            }
            Failure::Broken(text) => return unavailable(clean_text(text, LONGEST_MESSAGE)),
        };
        let message = clean_text(&status.message, LONGEST_MESSAGE);
        match missing_permission(&message).filter(|_| failure.is_forbidden()) {
            Some(user) => StoreError::Denied {
                action: format!("{self} as {}", shown(user)),
                cure: self.cure(user),
                detail: message,
            },
            None => unavailable(format!("the API server answers {}: {message}", status.code)),
        }
    }

    /// The rule that is missing. A rule for "create" must not name the object: what is not
    /// there yet has no name by which it could be allowed.
    fn cure(&self, user: &str) -> String {
        let named = self.name.filter(|_| self.verb != "create");
        let names = named.map_or_else(String::new, |name| format!(", resourceNames: [{name:?}]"));
        format!(
            "Bind {} to a Role in namespace {} with the rule {{apiGroups: [{:?}], resources: [{:?}]{names}, verbs: [{:?}]}}",
            shown(user),
            self.namespace,
            self.resource.group(),
            self.resource.plural(),
            self.verb,
        )
    }
}

impl std::fmt::Display for Attempt<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.verb, self.resource.plural())?;
        if let Some(name) = self.name {
            write!(f, " {name}")?;
        }
        write!(f, " in namespace {}", self.namespace)
    }
}

/// Who lacks a permission, if that is what an API server's message says. Authorizers say
/// `User "NAME" cannot VERB resource "RESOURCE" …` (k8s.io/apiserver, responsewriters); quotas,
/// namespaces that go away and admission controllers say other things with the same code 403.
fn missing_permission(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("User \"")?;
    let (user, rest) = rest.split_once('"')?;
    let rest = rest.strip_prefix(" cannot ")?;
    rest.contains(" resource ").then_some(user)
}

/// A user as people know it.
fn shown(user: &str) -> String {
    let account = user.strip_prefix("system:serviceaccount:");
    match account.and_then(|account| account.split_once(':')) {
        Some((namespace, name)) => format!("service account {name} of namespace {namespace}"),
        None => format!("user {user:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;
    use rstest::rstest;

    fn refused(code: u16, message: &str) -> Failure {
        Failure::Refused(
            Status::failure(message, "Forbidden")
                .with_code(code)
                .boxed(),
        )
    }

    fn attempt(verb: &'static str) -> Attempt<'static> {
        Attempt {
            verb,
            resource: Resource::ConfigMaps,
            name: Some("tminus-k6"),
            namespace: "load",
        }
    }

    const RBAC: &str = "configmaps \"tminus-k6\" is forbidden: User \
        \"system:serviceaccount:load:agent\" cannot get resource \"configmaps\" in API group \
        \"\" in the namespace \"load\"";

    #[test]
    fn a_missing_permission_is_named_with_the_rule_that_grants_it() {
        let error = attempt("get").failed(&refused(403, RBAC));
        assert!(matches!(error, StoreError::Denied { .. }), "{error:?}");
        assert_eq!(
            error.to_string(),
            format!(
                "may not get configmaps tminus-k6 in namespace load as service account agent of \
                 namespace load: {RBAC}. Bind service account agent of namespace load to a Role in \
                 namespace load with the rule {{apiGroups: [\"\"], resources: [\"configmaps\"], \
                 resourceNames: [\"tminus-k6\"], verbs: [\"get\"]}}"
            )
        );
    }

    #[test]
    fn a_rule_for_create_names_no_object() {
        let attempt = Attempt {
            resource: Resource::Leases,
            ..attempt("create")
        };
        let message = "leases.coordination.k8s.io is forbidden: User \"jane\" cannot create \
                       resource \"leases\" in API group \"coordination.k8s.io\"";
        let text = attempt.failed(&refused(403, message)).to_string();
        let rule =
            "{apiGroups: [\"coordination.k8s.io\"], resources: [\"leases\"], verbs: [\"create\"]}";
        assert!(
            text.contains("Bind user \"jane\" to a Role in namespace load"),
            "{text}"
        );
        assert!(text.ends_with(rule), "{text}");
    }

    #[rstest]
    #[case::quota(
        "configmaps \"x\" is forbidden: exceeded quota: q, requested: count/configmaps=1, used: count/configmaps=1, limited: count/configmaps=1"
    )]
    #[case::terminating(
        "configmaps \"x\" is forbidden: unable to create new content in namespace load because it is being terminated"
    )]
    #[case::webhook(
        "admission webhook \"no.example\" denied the request: User \"jane\" is on holiday"
    )]
    #[case::proxy("<html>403</html>")]
    fn another_403_is_told_as_what_it_is(#[case] message: &str) {
        let error = attempt("create").failed(&refused(403, message));
        let text = error.to_string();
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        assert!(text.contains(message) && !text.contains("Role"), "{text}");
    }

    #[rstest]
    #[case(401)]
    #[case(409)]
    #[case(422)]
    #[case(429)]
    #[case(500)]
    #[case(503)]
    fn any_other_refusal_may_pass(#[case] code: u16) {
        // Whatever it says: only a 403 is a matter of permissions.
        let error = attempt("update").failed(&refused(code, RBAC));
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        assert!(error.to_string().contains(&code.to_string()), "{error}");
    }

    #[test]
    fn what_a_server_says_cannot_forge_a_line_and_has_an_end() {
        let error = attempt("get").failed(&refused(500, &"a\n\u{1b}".repeat(10_000)));
        let text = error.to_string();
        assert!(
            text.len() < 2_000 && !text.contains(char::is_control),
            "{text:?}"
        );
    }

    #[test]
    fn silence_and_a_broken_connection_are_told_apart() {
        let silence = attempt("get").failed(&Failure::TimedOut).to_string();
        let text = "cannot get configmaps tminus-k6 in namespace load: the API server has not answered in time";
        assert_eq!(silence, text);
        let broken = attempt("get").failed(&Failure::Broken("connection refused".to_owned()));
        assert!(
            broken.to_string().ends_with("connection refused"),
            "{broken}"
        );
    }
}
