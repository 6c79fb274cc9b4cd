use k6::flags::FLAGS;
use k6::{CommandLine, Contradiction, Environment};
use std::io::Write;
use std::process::{Command, Stdio};
fn go(lines: &[Vec<String>]) -> Vec<serde_json::Value> {
    let mut c = Command::new("/tmp/gofuzz/gofuzz")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = c.stdin.take().unwrap();
    let text: String = lines
        .iter()
        .map(|l| serde_json::to_string(l).unwrap() + "\n")
        .collect();
    let t = std::thread::spawn(move || stdin.write_all(text.as_bytes()).unwrap());
    let out = c.wait_with_output().unwrap();
    t.join().unwrap();
    String::from_utf8(out.stdout)
        .unwrap()
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect()
}
struct Rng(u64);
impl Rng {
    fn n(&mut self, k: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % k as u64) as usize
    }
    fn pick<'a>(&mut self, l: &[&'a str]) -> &'a str {
        l[self.n(l.len())]
    }
}
fn word(r: &mut Rng) -> String {
    let vals = [
        "", "", "=true", "=false", "=", "=x", "x", "=1", "test.v", "=:1", ":1",
    ];
    match r.n(10) {
        0..=2 => {
            let f = [
                "paused",
                "address",
                "no-setup",
                "linger",
                "help",
                "out",
                "config",
                "env",
                "quiet",
                "http-debug",
                "tag",
                "no-summary",
            ];
            let i = r.n(FLAGS.len() + 24);
            let n = if i < FLAGS.len() {
                FLAGS[i].name
            } else {
                f[(i - FLAGS.len()) % 12]
            };
            format!(
                "--{}{}",
                n,
                r.pick(&["", "", "", "=true", "=false", "=", "=x", "=0"])
            )
        }
        3..=6 => {
            let k = r.n(3) + 1;
            let mut s = String::from("-");
            for _ in 0..k {
                s.push_str(r.pick(&[
                    "p", "p", "q", "v", "a", "l", "o", "e", "c", "t", "u", "h", "w", "X", "=", "-",
                    "i",
                ]));
            }
            s + r.pick(&vals)
        }
        7 => r
            .pick(&[
                "--",
                "-",
                "",
                "--later",
                "--later=1",
                "-X",
                "-X=1",
                "-test.v",
                "---x",
                "--=x",
            ])
            .into(),
        _ => r
            .pick(&["s.js", "s.js", "true", "x.js", "run", "K6=1", ":1", "-"])
            .into(),
    }
}
#[test]
fn fuzz() {
    let mut r = Rng(std::env::var("SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(88172645463325252));
    let mut lines = vec![];
    for _ in 0..200000 {
        let mut l = vec![];
        if r.n(3) == 0 {
            for _ in 0..r.n(3) {
                l.push(word(&mut r));
            }
        }
        if r.n(20) != 0 {
            l.push("run".into());
        }
        for _ in 0..r.n(4) {
            l.push(word(&mut r));
        }
        if r.n(2) == 0 {
            l.push("s.js".into());
            for _ in 0..r.n(3) {
                l.push(word(&mut r));
            }
        }
        lines.push(l);
    }
    let res = go(&lines);
    let mut rewritten = vec![];
    let mut of = vec![];
    let (mut acc, mut gook, mut accok) = (0, 0, 0);
    for (l, g) in lines.iter().zip(&res) {
        let mut argv: Vec<std::ffi::OsString> = vec!["k6".into()];
        argv.extend(l.iter().map(Into::into));
        let ours = CommandLine::parse(&argv)
            .map_err(|e| (Some(e), vec![]))
            .and_then(|c| {
                c.check(&Environment::default(), None)
                    .map_err(|e| (None, e))
            });
        let ok = g["err"] == "";
        let f = &g["flags"];
        if ok {
            gook += 1;
        }
        match ours {
            Ok(run) => {
                acc += 1;
                if ok {
                    accok += 1;
                    assert!(
                        f["paused"] != "false"
                            && f["linger"] != "true"
                            && f["address"].is_null()
                            && f["no-setup"] != "false",
                        "{l:?} {g}"
                    );
                    assert_eq!(
                        run.no_setup().is_some(),
                        f["no-setup"] == "true",
                        "{l:?} {g}"
                    );
                    let s = match run.script() {
                        k6::Script::Stdin => "-".to_owned(),
                        k6::Script::File(p) => p.to_str().unwrap().into(),
                        k6::Script::Url(u) => u.to_str().unwrap().into(),
                    };
                    assert_eq!(g["args"][0], s, "{l:?} {g}");
                    assert_eq!(run.web_dashboard().is_some(), false);
                }
                for ns in [true, false] {
                    let w = run.paused_at("127.0.0.1:4711".parse().unwrap(), ns);
                    rewritten.push(
                        w[1..]
                            .iter()
                            .map(|w| w.to_str().unwrap().to_owned())
                            .collect::<Vec<_>>(),
                    );
                    of.push((l.clone(), g.clone(), ns));
                }
            }
            Err((e, cs)) => {
                if ok {
                    let fine = f["paused"] == "false"
                        || f["linger"] == "true"
                        || !f["address"].is_null()
                        || f["no-setup"] == "false";
                    assert!(fine, "refused {l:?} {g} {e:?} {cs:?}");
                    assert!(
                        !cs.iter().any(|c| matches!(
                            c,
                            Contradiction::UnknownFlag { .. }
                                | Contradiction::NotATruthValue(_)
                                | Contradiction::NoScript
                                | Contradiction::ManyScripts(_)
                                | Contradiction::FlagAfterDashes(_)
                                | Contradiction::Help(_)
                        )),
                        "{l:?} {cs:?}"
                    );
                    for c in &cs {
                        match c {
                            Contradiction::Address(_) => assert!(!f["address"].is_null()),
                            Contradiction::NotPaused(_) => assert!(f["paused"] == "false"),
                            Contradiction::Linger(_) => assert!(f["linger"] == "true"),
                            Contradiction::SetupByK6(_) => assert!(f["no-setup"] == "false"),
                            o => panic!("{o:?}"),
                        }
                    }
                }
            }
        }
    }
    let again = go(&rewritten);
    for ((w, g2), (l, g, ns)) in rewritten.iter().zip(&again).zip(&of) {
        assert_eq!(g["err"] == "", g2["err"] == "", "{l:?} {g} -> {w:?} {g2}");
        if g["err"] != "" {
            continue;
        }
        assert_eq!(g["args"], g2["args"]);
        let mut want = g["flags"].as_object().unwrap().clone();
        want.insert("paused".into(), "true".into());
        want.insert("address".into(), "127.0.0.1:4711".into());
        if *ns {
            want.insert("no-setup".into(), "true".into());
        }
        assert_eq!(&want, g2["flags"].as_object().unwrap(), "{l:?} -> {w:?}");
    }
    println!(
        "lines {} accepted {acc} go ok {gook} both {accok}",
        lines.len()
    );
}
