use super::*;
use std::{
	env,
	fs::{self, File},
	io::{BufRead, Read},
	process,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn shell(script: &str, stdin: impl Into<Stdio>) -> Child {
	Child::spawn(Path::new("sh"), ["-c", script], stdin).unwrap()
}

/// What it wrote, and how it ended.
async fn run(mut child: Child) -> (String, Exit) {
	let mut text = String::new();
	child.stdout.take().unwrap().read_to_string(&mut text).await.unwrap();
	(text, child.end().await.unwrap())
}

/// FFmpeg's way to say why it fails.
async fn cause(args: &[&str]) -> String {
	let child = Child::spawn(Path::new("ffmpeg"), args, Stdio::null()).unwrap();
	run(child).await.1.cause().unwrap().to_string()
}

#[tokio::test]
async fn bytes_go_in_and_come_out() {
	let mut child = shell("cat; echo over >&2", Stdio::piped());
	child.stdin.take().unwrap().write_all(b"hello").await.unwrap();
	let (text, exit) = run(child).await;
	assert_eq!(text, "hello");
	assert_eq!(exit.lines, ["over"]);
	assert_eq!(exit.cause(), None);
}

#[tokio::test]
async fn a_missing_program_is_named() {
	let error = Child::spawn(Path::new("no-such-ffmpeg"), ["-version"], Stdio::null()).unwrap_err();
	assert!(
		error
			.to_string()
			.starts_with("no-such-ffmpeg not found: install FFmpeg"),
		"{error}"
	);
}

#[tokio::test]
async fn it_outlives_the_thread_that_asked_for_it() {
	let runtime = Handle::current();
	let mut child = thread::spawn(move || {
		let _context = runtime.enter();
		shell("cat", Stdio::piped())
	})
	.join()
	.unwrap();
	child.stdin.take().unwrap().write_all(b"still here").await.unwrap();
	let (text, exit) = run(child).await;
	assert_eq!(text, "still here");
	assert!(exit.status.success());
}

/// The broadcaster's process of the test below, in a process of its own; nothing else.
#[tokio::test]
async fn helper_that_is_killed() {
	if let Some(pipe) = env::var_os("CLUSTERCAST_TEST_PIPE") {
		let script = format!("exec 3>'{}'; echo on >&3; exec sleep 600", pipe.to_str().unwrap());
		let _child = shell(&script, Stdio::null());
		std::future::pending::<()>().await;
	}
}

#[test]
fn a_killed_process_leaves_no_child() {
	let dir = tempfile::tempdir().unwrap();
	let pipe = dir.path().join("pipe");
	nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
	let mut broadcaster = process::Command::new(env::current_exe().unwrap())
		.args(["child::tests::helper_that_is_killed", "--exact", "--nocapture"])
		.env("CLUSTERCAST_TEST_PIPE", &pipe)
		.stdout(Stdio::null())
		.spawn()
		.unwrap();
	let mut pipe = std::io::BufReader::new(File::open(&pipe).unwrap());
	let mut line = String::new();
	pipe.read_line(&mut line).unwrap();
	assert_eq!(line, "on\n");
	broadcaster.kill().unwrap();
	broadcaster.wait().unwrap();
	// The end comes once nobody holds the other end: the grandchild is gone.
	assert_eq!(pipe.read_to_string(&mut line).unwrap(), 0);
}

#[tokio::test]
async fn a_dropped_child_is_killed_with_what_it_started() {
	// A wrapper around FFmpeg that does not exec.
	let mut child = shell("sleep 600 & echo on; wait", Stdio::null());
	let mut stdout = child.stdout.take().unwrap();
	let mut line = [0; 3];
	stdout.read_exact(&mut line).await.unwrap();
	drop(child);
	assert_eq!(stdout.read_to_end(&mut Vec::new()).await.unwrap(), 0);
}

#[tokio::test]
async fn a_child_that_does_not_end_is_killed_and_reaped() {
	let mut child = shell("trap '' INT; echo on; while :; do sleep 600; done", Stdio::null());
	let mut line = [0; 3];
	child.stdout.as_mut().unwrap().read_exact(&mut line).await.unwrap();
	let id = child.id().unwrap();
	child.interrupt();
	let exit = child.end().await.unwrap();
	assert!(exit.killed);
	assert_eq!(exit.cause(), None);
	assert!(!Path::new(&format!("/proc/{id}")).exists());
}

#[tokio::test]
async fn niceness_and_group_are_as_they_should_be() {
	let (text, _) = run(shell("cat /proc/self/stat", Stdio::null())).await;
	let of = |stat: &str| -> Vec<String> {
		stat.rsplit_once(')')
			.unwrap()
			.1
			.split_whitespace()
			.map(Into::into)
			.collect()
	};
	let (child, own) = (of(&text), of(&fs::read_to_string("/proc/self/stat").unwrap()));
	assert_ne!(child[2], own[2], "process group");
	assert_eq!(child[16], own[16], "niceness");
}

#[tokio::test]
async fn a_child_gets_no_more_memory_than_its_limit() {
	// Fails within its limit of 2 GiB: nothing is written to what it asks for.
	let (_, exit) = run(shell("exec dd if=/dev/zero of=/dev/null bs=3G count=1", Stdio::null())).await;
	assert!(!exit.status.success(), "{exit:?}");
	let (text, _) = run(shell("ulimit -d", Stdio::null())).await;
	assert_eq!(text.trim(), (MEMORY_LIMIT / 1024).to_string());
}

#[tokio::test]
async fn endless_lines_are_cut_and_only_the_last_ones_kept() {
	let script = "head -c 100000 /dev/zero | tr '\\0' x >&2; printf '\\r\\n\\nlast' >&2";
	let (_, exit) = run(shell(script, Stdio::null())).await;
	assert_eq!(exit.lines.len(), MAX_LOG_LINES);
	assert!(exit.lines.iter().all(|line| line.len() <= MAX_LOG_LINE));
	assert_eq!(exit.lines.last().unwrap(), "last");
}

#[tokio::test]
async fn what_the_user_did_is_said_not_what_ffmpeg_says() {
	let dir = tempfile::tempdir().unwrap();
	let file = |name: &str, text: &[u8]| {
		let path = dir.path().join(name);
		fs::write(&path, text).unwrap();
		path.to_str().unwrap().to_owned()
	};
	let text = file("text", &[0xA5; 5_000]);
	let mp4 = file("film.mp4", b"not a film");
	let missing = dir.path().join("missing").to_str().unwrap().to_owned();
	let read = |path: String| async move { cause(&["-i", &path, "-f", "null", "-"]).await };
	assert_eq!(read(text).await, Cause::Unreadable.to_string());
	assert_eq!(read(mp4).await, Cause::Incomplete.to_string());
	assert_eq!(read(missing).await, Cause::NotFound.to_string());
	assert_eq!(
		cause(&["-f", "v4l2", "-i", "/dev/null", "-f", "null", "-"]).await,
		Cause::NoCamera.to_string()
	);
	let encoder = ["-f", "lavfi", "-i", "nullsrc", "-c:v", "libx299", "-f", "null", "-"];
	assert_eq!(cause(&encoder).await, "this FFmpeg has no encoder libx299");
}

#[tokio::test]
async fn signals_are_told_by_what_they_mean() {
	for (script, cause) in [
		("kill -KILL $$", Cause::OutOfMemory),
		("kill -SEGV $$", Cause::Crashed),
		("kill -TERM $$", Cause::Ended),
		("echo 'x: Cannot allocate memory' >&2; exit 1", Cause::OutOfMemory),
	] {
		assert_eq!(
			run(shell(script, Stdio::null())).await.1.cause(),
			Some(cause),
			"{script}"
		);
	}
}
