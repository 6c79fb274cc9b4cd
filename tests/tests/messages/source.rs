//! The texts that stand in Rust source, told apart by whether the product or its tests say them.

use std::path::{Path, PathBuf};

use crate::tokens::{Tree, trees};

/// A literal text of a source file.
pub struct Text {
    /// Below the project's folder.
    pub file: PathBuf,
    /// With its escapes undone.
    pub words: String,
}

/// What a file holds.
#[derive(Default)]
pub struct Texts {
    /// What the program may say.
    pub product: Vec<String>,
    /// What stands in items that are built for tests alone.
    pub tests: Vec<String>,
}

/// Texts of these macros and methods are for whoever works on tminus: a broken promise of the code itself, and what
/// is logged at levels that are off.
const FOR_US: [&str; 11] = [
    "assert",
    "assert_eq",
    "assert_ne",
    "debug_assert",
    "expect",
    "expect_err",
    "unreachable",
    "panic",
    "debug",
    "trace",
    "matches",
];
/// Attributes whose texts are documentation, of the command line or of the source, or names.
const DOCUMENTATION: [&str; 6] = ["allow", "arg", "command", "doc", "expect", "serde"];

/// All texts of the Rust files below `folder`, which is below `root`.
pub fn texts(root: &Path, folder: &str) -> (Vec<Text>, Vec<Text>) {
    let (mut product, mut tests) = (Vec::new(), Vec::new());
    for path in rust_files(&root.join(folder)) {
        let source = std::fs::read_to_string(&path).unwrap();
        let file = path.strip_prefix(root).unwrap().to_owned();
        let trees = trees(&source);
        let found = if is_a_tests_file(&file) {
            of_tests(&trees)
        } else {
            read(&trees)
        };
        let kept = |texts: Vec<String>| {
            texts
                .into_iter()
                .map(|words| Text {
                    file: file.clone(),
                    words,
                })
                .collect::<Vec<_>>()
        };
        product.extend(kept(found.product));
        tests.extend(kept(found.tests));
    }
    (product, tests)
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
    {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Whether the whole file is built for tests alone, by the names that such files have in this project.
fn is_a_tests_file(file: &Path) -> bool {
    const NAMES: [&str; 5] = [
        "tests",
        "testing",
        "tests.rs",
        "testing.rs",
        "simulation.rs",
    ];
    file.iter()
        .any(|part| NAMES.iter().any(|name| part == *name))
}

/// The texts of a file that is built for tests alone.
fn of_tests(trees: &[Tree]) -> Texts {
    let mut texts = Texts::default();
    literals(trees, &mut texts.tests);
    texts
}

/// The texts of a file.
fn read(trees: &[Tree]) -> Texts {
    let mut texts = Texts::default();
    product(trees, &mut texts);
    texts
}

fn product(trees: &[Tree], texts: &mut Texts) {
    let mut at = 0;
    while let Some(tree) = trees.get(at) {
        at += 1;
        match tree {
            Tree::Mark('#') => {
                at += usize::from(trees.get(at) == Some(&Tree::Mark('!')));
                let Some(Tree::Group(_, attribute)) = trees.get(at) else {
                    continue;
                };
                at += 1;
                if is_for_tests(attribute) {
                    let end = at + item_length(&trees[at..]);
                    literals(&trees[at..end], &mut texts.tests);
                    at = end;
                } else if !matches!(attribute.first(), Some(Tree::Word(name)) if DOCUMENTATION.contains(&name.as_str()))
                {
                    product(attribute, texts);
                }
            }
            Tree::Word(name) if FOR_US.contains(&name.as_str()) => {
                at += usize::from(trees.get(at) == Some(&Tree::Mark('!')));
                at += usize::from(matches!(trees.get(at), Some(Tree::Group('(', _))));
            }
            Tree::Group(_, inside) => product(inside, texts),
            Tree::Text(text) => texts.product.push(text.clone()),
            Tree::Mark(_) | Tree::Word(_) => {}
        }
    }
}

/// Whether an attribute is `cfg(test)`.
fn is_for_tests(attribute: &[Tree]) -> bool {
    let word = |word: &str| Tree::Word(word.to_owned());
    matches!(attribute, [cfg, Tree::Group('(', of)] if *cfg == word("cfg") && *of == [word("test")])
}

/// How many trees the item has that begins here: up to its braces or its semicolon.
fn item_length(trees: &[Tree]) -> usize {
    let end = trees
        .iter()
        .position(|tree| matches!(tree, Tree::Group('{', _) | Tree::Mark(';')));
    end.map_or(trees.len(), |end| end + 1)
}

/// All texts, whatever they are for.
fn literals(trees: &[Tree], texts: &mut Vec<String>) {
    for tree in trees {
        match tree {
            Tree::Group(_, inside) => literals(inside, texts),
            Tree::Text(text) => texts.push(text.clone()),
            Tree::Mark(_) | Tree::Word(_) => {}
        }
    }
}

#[test]
fn product_and_tests_are_told_apart() {
    let source = r##"
        //! "not this one"
        #[error("told: {0}")] struct E;
        #[arg(help = "help")] struct A;
        fn f() { x.expect("a promise"); warn!("a \"quoted\" \
            line"); debug!("never"); format!(r#"raw"#) }
        #[cfg(test)] #[path = "x"] mod tests { fn f() { assert_eq!(x, "expected"); } }
        const AFTER: &str = "after";
    "##;
    let texts = read(&trees(source));
    assert_eq!(
        texts.product,
        ["told: {0}", "a \"quoted\" line", "raw", "after"]
    );
    assert_eq!(texts.tests, ["x", "expected"]);
}
