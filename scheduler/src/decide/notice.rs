//! What an event of Kubernetes says.

use k8s_openapi::api::core::v1::Event;

use super::absence::short;

/// It for people, with what it is about in front.
#[must_use]
pub fn text(event: &Event) -> String {
    let about = &event.involved_object;
    let kind = about.kind.as_deref().unwrap_or_default();
    let what = what(event);
    match (kind, &about.name) {
        ("Job", Some(name)) => format!("Job {name}: {what}"),
        _ => what,
    }
}

fn what(event: &Event) -> String {
    let message = event.message.as_deref().map(short);
    let reason = event.reason.as_deref().map(short);
    match (reason, message) {
        (Some(reason), Some(message)) => format!("{reason}: {message}"),
        (Some(only), None) => only,
        (None, message) => message.unwrap_or_default(),
    }
}

/// What two events have in common that say the same: each refusal of a Job's pods names the pod that
/// was not made, and each has another name.
#[must_use]
pub fn key(event: &Event) -> String {
    let what = what(event);
    let Some(job) = &event.involved_object.name else {
        return what;
    };
    let mut parts = Vec::new();
    for (n, part) in what.split('"').enumerate() {
        let is_pod = n % 2 == 1 && part.starts_with(job.as_str());
        parts.push(if is_pod { job } else { part });
    }
    parts.join("\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(pod: &str, what: &str) -> Event {
        let mut event = Event::default();
        event.involved_object.kind = Some("Job".to_owned());
        event.involved_object.name = Some("k6".to_owned());
        event.reason = Some("FailedCreate".to_owned());
        event.message = Some(format!(
            "Error creating: pods \"{pod}\" is forbidden: {what}"
        ));
        event
    }

    #[test]
    fn it_is_told_with_what_it_is_about() {
        let told = text(&refused("k6-0-abcde", "exceeded quota: small"));
        assert_eq!(
            told,
            "Job k6: FailedCreate: Error creating: pods \"k6-0-abcde\" is forbidden: exceeded quota: small"
        );
    }

    #[test]
    fn the_same_refusal_of_another_pod_is_the_same() {
        let quota = |pod| key(&refused(pod, "exceeded quota: small"));
        assert_eq!(quota("k6-0-abcde"), quota("k6-1-fghij"));
        assert_ne!(
            quota("k6-0-abcde"),
            key(&refused("k6-0-abcde", "violates PodSecurity"))
        );
    }
}
