//! Files as people have them are played to their end, once, and then the broadcast is over.
//!
//! | what is given | test |
//! | --- | --- |
//! | pixels that are not square, fields | `television_…` |
//! | music with a cover, and without a picture | `music_…` |
//! | a picture that ends before its sound; the same again and again | `a_picture_that_ends_…` |
//! | a named pipe that another program writes | `a_pipe_…` |

use anyhow::{ensure, Context, Result};
use clustercast_e2e::{
	lab::Lab,
	network::{Network, Person, START_MONEY},
	process::{output, tool},
	programs::{mint, success, Origin},
	pusher::{make, ENCODED, PICTURE, TONE},
	record::{Moment, Record},
	scene::PRICE_PER_GB,
};
use std::{fs, path::Path, process::Stdio, time::Duration};
use tokio::process::Command;

/// For the longest of these files, on a machine that does other things besides.
const PATIENCE: Duration = Duration::from_secs(90);

/// Plays each of these files on an origin of its own, `at_once` of them at a time, to their end: one that serves nobody, so that one
/// stream key does for all.
struct Cinema {
	network: Network,
	broadcaster: Person,
	stream: u64,
}

impl Cinema {
	async fn open(lab: &Lab) -> Result<Self> {
		let network = Network::shared(lab).await?;
		let broadcaster = Person::new(lab, "broadcaster")?;
		network.fund(&[(broadcaster.account, START_MONEY)]).await?;
		let stream = mint(&network, &broadcaster, PRICE_PER_GB).await?;
		Ok(Self {
			network,
			broadcaster,
			stream,
		})
	}

	async fn start(&self, lab: &Lab, name: &str, file: &Path, more: &[&str]) -> Result<Origin> {
		let mut run = Origin::command(lab, name, &self.network, &self.broadcaster, self.stream)?;
		run.arg("--input").arg(file).args(more);
		Origin::run(lab, name, self.stream, &mut run).await
	}

	/// Until it ends of itself, in order.
	async fn play(&self, lab: &Lab, name: &str, file: &Path, more: &[&str]) -> Result<(Record, String)> {
		let origin = self.start(lab, name, file, more).await?;
		end(lab, name, origin).await
	}
}

async fn end(lab: &Lab, name: &str, mut origin: Origin) -> Result<(Record, String)> {
	success(name, origin.process.wait(PATIENCE).await?)?;
	let record = Record::read(&origin.record, &origin.windows()?)
		.await
		.context(name.to_owned())?;
	let said = fs::read_to_string(lab.path(&format!("{name}.log")))?;
	ensure!(
		!said.contains("starting it again") && !said.contains("ERROR"),
		"{name}: {said}"
	);
	Ok((record, said))
}

/// Half seconds from so many seconds on, up to so many.
fn between(record: &Record, from: f64, to: f64) -> &[Moment] {
	let at = |seconds: f64| ((seconds * 2.0) as usize).min(record.moments.len());
	&record.moments[at(from)..at(to)]
}

fn all(moments: &[Moment], is: impl Fn(&Moment) -> bool) -> Result<()> {
	ensure!(!moments.is_empty() && moments.iter().all(is), "{moments:?}");
	Ok(())
}

#[test]
fn television_fills_the_screen_and_shows_no_comb() {
	Lab::run(async |lab| {
		let cinema = Cinema::open(lab).await?;
		// A white post that goes to the right before grey, 50 fields a second, to be shown as 16:9.
		let moving = "-f lavfi -i color=c=gray:s=720x576:r=50:d=5[a];color=c=white:s=80x576:r=50:d=5[b];[a][b]overlay=x=t*120:y=0,\
			setsar=64/45,tinterlace=interleave_top,setfield=tff";
		let encoded = "-c:v mpeg2video -flags +ildct+ilme -q:v 3 -c:a mp2 -t 5";
		let film = make(lab, "pal.mpg", &format!("{moving} {TONE} {encoded}")).await?;
		let (record, said) = cinema.play(lab, "pal", &film, &[]).await?;
		all(between(&record, 0.5, 4.0), |moment| moment.moves && moment.sounds)?;
		ensure!(said.contains("720x576"), "{said}");
		let picture = picture(&lab.path("pal.mp4"), 2.0).await?;
		let (rows, columns) = (0..HEIGHT, 0..WIDTH);
		let black = columns.clone().filter(|x| picture[HEIGHT / 2 * WIDTH + x] < 60).count();
		ensure!(black == 0, "{black} black columns beside the picture");
		// A comb: a row that is neither like the one above nor like the one below, while those are alike.
		let combs = rows
			.skip(1)
			.take(HEIGHT - 2)
			.flat_map(|y| columns.clone().map(move |x| (x, y)))
			.filter(|(x, y)| {
				let at = |y: usize| i16::from(picture[y * WIDTH + x]);
				(at(y - 1) - at(y + 1)).abs() < 20 && (at(*y) - at(y - 1)).abs() > 50
			})
			.count();
		ensure!(combs < 50, "{combs} points of a comb");
		Ok(())
	});
}

/// Of what is broadcast.
const WIDTH: usize = 854;
const HEIGHT: usize = 480;

/// The picture at this second of a record, grey.
async fn picture(file: &Path, second: f64) -> Result<Vec<u8>> {
	let mut command = Command::new(tool("ffmpeg")?);
	command
		.args(["-nostdin", "-v", "error", "-ss", &second.to_string(), "-i"])
		.arg(file);
	command.args(["-frames:v", "1", "-pix_fmt", "gray", "-f", "rawvideo", "-"]);
	let picture = output(&mut command, PATIENCE).await?.stdout;
	ensure!(picture.len() == WIDTH * HEIGHT, "a picture of {} bytes", picture.len());
	Ok(picture)
}

#[test]
fn music_is_played_under_its_cover_or_a_slate() {
	Lab::run(async |lab| {
		let cinema = Cinema::open(lab).await?;
		let cover = make(lab, "cover.jpg", "-f lavfi -i testsrc2=s=500x500:d=0.1 -frames:v 1").await?;
		let song = make(lab, "song.mp3", &format!("{TONE} -t 5")).await?;
		let covered = format!(
			"-i {} -i {} -map 0:a -map 1:v -c copy -disposition:v attached_pic",
			song.display(),
			cover.display()
		);
		let covered = make(lab, "covered.mp3", &covered).await?;
		let ((with, said), (without, said_of_slate)) = futures::future::try_join(
			cinema.play(lab, "covered", &covered, &[]),
			cinema.play(lab, "song", &song, &[]),
		)
		.await?;
		all(between(&with, 0.5, 4.5), |m| !m.moves && !m.dark && m.sounds)?;
		all(between(&without, 0.5, 4.5), |m| m.dark && m.sounds)?;
		for (record, said) in [(with, said), (without, said_of_slate)] {
			ensure!(
				(10..=14).contains(&record.moments.len()),
				"{} halves of a second",
				record.moments.len()
			);
			ensure!(!said.contains("swscaler") && said.lines().count() < 15, "{said}");
		}
		Ok(())
	});
}

#[test]
fn a_picture_that_ends_is_held_until_the_sound_is_over() {
	Lab::run(async |lab| {
		let cinema = Cinema::open(lab).await?;
		let short = format!("{PICTURE}:d=3 -f lavfi -i sine=d=8 {ENCODED}");
		let film = make(lab, "short.mp4", &short).await?;
		let ((once, _), (again, _)) = futures::future::try_join(
			cinema.play(lab, "once", &film, &[]),
			cinema.play(lab, "again", &film, &["--repeat", "--seconds", "20"]),
		)
		.await?;
		all(between(&once, 0.0, 2.5), |m| m.moves)?;
		all(between(&once, 3.5, 8.0), |m| !m.moves && !m.dark)?;
		all(between(&once, 0.5, 7.5), |m| m.sounds)?;
		// 8 s, and what fills the last window up.
		ensure!(
			(16..=20).contains(&once.moments.len()),
			"{} halves of a second",
			once.moments.len()
		);

		let whole = (again.moments.len() as f64 / 2.0 - 2.5).min(19.0);
		ensure!(whole > 10.0, "{whole} s");
		all(between(&again, 0.5, whole), |m| m.sounds && !m.dark)?;
		// The second turn, up to 2 s sooner where a busy machine left something out.
		all(between(&again, 4.0, 6.0), |m| !m.moves)?;
		all(between(&again, 8.0, 9.0), |m| m.moves)?;
		Ok(())
	});
}

#[test]
fn a_pipe_is_opened_once_and_read_to_its_end() {
	Lab::run(async |lab| {
		let cinema = Cinema::open(lab).await?;
		let pipe = lab.path("pipe.ts");
		success("mkfifo", Command::new(tool("mkfifo")?).arg(&pipe).status().await?)?;
		let mut writes = Command::new(tool("ffmpeg")?);
		writes.args(["-nostdin", "-v", "error", "-y"]);
		writes.args(format!("-re {PICTURE} -re {TONE} {ENCODED} -t 6 -f mpegts").split_whitespace());
		let mut writes = writes.arg(&pipe).stdin(Stdio::null()).kill_on_drop(true).spawn()?;
		let (record, _) = cinema.play(lab, "pipe", &pipe, &[]).await?;
		// Nothing broke under its hands.
		success("what writes the pipe", writes.wait().await?)?;
		all(between(&record, 0.5, 4.5), |m| m.moves && m.sounds)?;
		ensure!(
			(12..=16).contains(&record.moments.len()),
			"{} halves of a second",
			record.moments.len()
		);
		Ok(())
	});
}
