//! The snippets of docs/integrate.md are parts of files that tests run.

use std::{fs, path::Path};

/// The part of a file between `// [name]` and the next `// [end]`.
fn part<'a>(text: &'a str, name: &str) -> Option<&'a str> {
	let (_, from) = text.split_once(&format!("// [{name}]\n"))?;
	from.split_once("// [end]").map(|(part, _)| part)
}

#[test]
fn snippets_are_parts_of_files_that_run() {
	let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
	let page = fs::read_to_string(root.join("docs/integrate.md")).unwrap();
	let mut seen = 0;
	for marked in page.split("<!-- ").skip(1) {
		let (mark, rest) = marked.split_once(" -->\n```").unwrap();
		let (file, name) = mark.split_once(' ').unwrap();
		let name = name.trim_matches(['[', ']']);
		let (_language, rest) = rest.split_once('\n').unwrap();
		let (snippet, _) = rest.split_once("```").unwrap();
		let text = fs::read_to_string(root.join(file)).unwrap();
		assert_eq!(part(&text, name), Some(snippet), "{mark}");
		seen += 1;
	}
	assert_eq!(seen, 10);
}
