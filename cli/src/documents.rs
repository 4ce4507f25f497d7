//! Manual pages and completions of a program, made from the flags that it parses.

use anyhow::Context;
use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;
use std::{env, fs, io, path::Path, process};

/// Environment variable: the folder in which a program writes its documents, after which it ends.
pub const DOCS: &str = "CLUSTERCAST_DOCS";

/// The shells that get completions.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

/// Writes the documents of `command` and ends the program, if [`DOCS`] asks for them.
///
/// A manual page `NAME-SUBCOMMAND.1` for each command, and `NAME.bash`, `_NAME`, `NAME.fish`; files that are there are replaced.
pub fn document(command: Command) {
	let Some(folder) = env::var_os(DOCS).filter(|folder| !folder.is_empty()) else {
		return;
	};
	let program = command.get_name().to_owned();
	let written = write(command, Path::new(&folder));
	let failed = written.is_err();
	// `ExitCode` is for `main` to return, and this is not `main`.
	let _ = crate::end(&program, written);
	process::exit(failed.into())
}

fn write(command: Command, folder: &Path) -> anyhow::Result<()> {
	let said = || format!("{DOCS}: {}", folder.display());
	fs::create_dir_all(folder).with_context(said)?;
	// Substrate's versions end with a line feed, which would end the line of the page that holds them.
	let version = command.get_version().unwrap_or_default().trim().to_owned();
	let mut command = command.version(version.clone());
	write_pages(command.clone().disable_help_subcommand(true), &version, folder).with_context(said)?;
	let name = command.get_name().to_owned();
	for shell in SHELLS {
		clap_complete::generate_to(shell, &mut command, &name, folder).with_context(said)?;
	}
	Ok(())
}

/// The page of a command, and those of the commands below it.
fn write_pages(mut command: Command, version: &str, folder: &Path) -> io::Result<()> {
	// Gives the commands below their full names.
	command.build();
	for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
		write_pages(below.clone(), version, folder)?;
	}
	// The version stands where others have a date; without either the fields behind it would move up.
	let page = Man::new(command)
		.date(version)
		.source("ClusterCast")
		.manual("ClusterCast manual");
	page.generate_to(folder).map(drop)
}

#[cfg(test)]
mod tests {
	use super::*;
	use clap::{CommandFactory, Parser};

	#[derive(Parser)]
	#[command(name = "sample", version = "1.2\n")]
	enum Sample {
		/// Runs
		Run {
			/// Metres
			#[arg(long, env = "SAMPLE_FAR", default_value_t = 42)]
			far: u32,
		},
	}

	#[test]
	fn documents_name_commands_flags_defaults_and_environment() {
		let folder = tempfile::tempdir().unwrap();
		let folder = folder.path().join("new");
		write(Sample::command(), &folder).unwrap();
		let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
		let page = read("sample-run.1");
		for word in ["Metres", "42", "SAMPLE_FAR"] {
			assert!(page.contains(word), "{page} lacks {word}");
		}
		let title = |line: &&str| line.starts_with(".TH");
		assert_eq!(
			read("sample.1").lines().find(title),
			Some(".TH sample 1 1.2 ClusterCast \"ClusterCast manual\"")
		);
		assert!(!folder.join("sample-help.1").exists(), "help has no page");
		for completion in ["sample.bash", "_sample", "sample.fish"] {
			assert!(read(completion).contains("far"), "{completion}");
		}
	}

	#[test]
	fn what_cannot_be_written_is_named() {
		let file = tempfile::NamedTempFile::new().unwrap();
		let error = write(Sample::command(), file.path()).unwrap_err();
		assert!(error.to_string().contains(file.path().to_str().unwrap()), "{error}");
	}
}
