//! Command lines and environments for a k6 in another directory.

use std::path::Path;

use rstest::rstest;

use crate::{check, environment, line};

fn anchored(command: &str) -> String {
    line(&check(command).unwrap().anchored(Path::new("/home/me")))
}

#[rstest]
#[case("k6 run s.js", "k6 run /home/me/s.js")]
#[case("k6 run ./a/./s.js -q", "k6 run /home/me/a/s.js -q")]
#[case("k6 run ../s.js", "k6 run /home/me/../s.js")]
#[case("k6 run -- -s.js", "k6 run -- /home/me/-s.js")]
#[case("./k6 run s.js", "/home/me/k6 run /home/me/s.js")]
#[case("k6 -c k.json run s.js", "k6 run -c /home/me/k.json /home/me/s.js")]
#[case("k6 run -qck.json s.js", "k6 run -qc/home/me/k.json /home/me/s.js")]
#[case(
    "k6 run --config=k.json s.js",
    "k6 run --config=/home/me/k.json /home/me/s.js"
)]
fn what_k6_reads_is_named_in_full(#[case] before: &str, #[case] after: &str) {
    assert_eq!(anchored(before), after);
}

#[rstest]
#[case("k6 run /s.js")]
#[case("/usr/bin/k6 run -c /k.json -qp -")]
#[case("k6 run https://host/s.js --config=")]
#[case("k6 run -o csv=x.csv --summary-export=s.json --console-output c.txt /s.js")]
#[case("k6 run --log-output file=./k6.log --secret-source mock=a=b /s.js")]
fn all_else_stays(#[case] command: &str) {
    assert_eq!(anchored(command), command);
}

#[rstest]
#[case("file=a.secret", "file=filename=/home/me/a.secret")]
#[case("file=filename=a.secret", "file=filename=/home/me/a.secret")]
#[case("file=name=x,default,a=b", "file=name=x,default,a=b")]
#[case("file=name=x,default,a", "file=name=x,default,filename=/home/me/a")]
#[case("file=/a.secret", "file=filename=/a.secret")]
#[case(
    "url=config=u.json,method=GET",
    "url=config=/home/me/u.json,method=GET"
)]
#[case("url=urlTemplate=https://x/{key}", "url=urlTemplate=https://x/{key}")]
#[case("file", "file")]
#[case("other=a.secret", "other=a.secret")]
fn the_file_of_a_secret_source_is_named_in_full(#[case] before: &str, #[case] after: &str) {
    assert_eq!(
        anchored(&format!("k6 run --secret-source {before} /s.js")),
        format!("k6 run --secret-source {after} /s.js")
    );
}

#[test]
fn a_comma_in_the_path_of_a_secret_is_beyond_k6() {
    let run = check("k6 run --secret-source=file=a /s.js").unwrap();
    let words = run.anchored(Path::new("/one,two"));
    assert_eq!(line(&words), "k6 run --secret-source=file=a /s.js");
}

#[test]
fn variables_that_name_files_are_changed_and_no_others() {
    let environment = environment(
        "K6_CONFIG=k.json K6_SECRET_SOURCE=file=a K6_OTEL_TLS_CLIENT_KEY=/key K6_OUT=csv=x.csv",
    );
    let changed = environment.anchored(Path::new("/home/me"));
    assert_eq!(
        changed,
        [
            ("K6_CONFIG", "/home/me/k.json".into()),
            ("K6_SECRET_SOURCE", "file=filename=/home/me/a".into()),
        ]
    );
}
