//! What a publisher sends as tags: each picture says in bands when it was taken and by whom, the pitch of the sound when that was.

use bytes::Bytes;
use clustercast_media::{
	flv::{Content, Kind, Reader, Tag},
	timeline::Track,
};
use clustercast_testing::publisher::{Publisher, Sent, PIECE};
use rand_chacha::{
	rand_core::{RngCore, SeedableRng},
	ChaCha8Rng,
};
use std::{
	f64::consts::TAU,
	io::{Read, Write},
	process::{Command, Stdio},
	thread,
};

/// Horizontal bands of a picture, from the top: white, black, publisher, time in ms, sum of both modulo 8.
pub const BANDS: usize = 24;
const PUBLISHER_BITS: u32 = 3;
const TIME_BITS: u32 = 16;
const SUM_BITS: u32 = 3;

/// Pitch of the sound: so much, and so much more with each second, Hz; it falls back after [`PERIOD`].
pub const PITCH: f64 = 500.0;
pub const RISE: f64 = 500.0;

/// Sound tells the time modulo this, s.
pub const PERIOD: f64 = 4.0;

const LOUD: f64 = 8_000.0;

/// Nothing wider than the picture that comes out, so that bands fill its height.
const SIZES: [(usize, usize); 7] = [
	(160, 90),
	(176, 144),
	(320, 180),
	(426, 240),
	(90, 160),
	(128, 96),
	(640, 360),
];

/// Sizes from here on cost too much at high rates.
const SMALL_SIZES: u64 = 6;

/// Samples a second and channels.
const SOUNDS: [(u32, u32); 3] = [(48_000, 2), (44_100, 1), (44_100, 2)];

/// A tag and when it arrives, s.
#[derive(Clone, Debug)]
pub struct Timed {
	pub arrives: f64,
	pub tag: Tag,
	pub key: bool,
}

/// In order of arrival; headers of what follows stand before it.
#[derive(Clone, Debug)]
pub struct Film {
	pub tags: Vec<Timed>,
}

/// Their films; what the generator leaves open is chosen here.
pub fn all(seed: u64, publishers: &mut [Publisher]) -> Vec<Film> {
	let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0xF11A);
	let films = publishers.iter_mut().enumerate().map(|(id, publisher)| {
		let mut pick = |count: u64| (random.next_u64() % count) as usize;
		let sizes = if publisher.rate > 30.0 {
			SMALL_SIZES
		} else {
			SIZES.len() as u64
		};
		let sound = SOUNDS[pick(SOUNDS.len() as u64)];
		publisher.hertz = f64::from(sound.0);
		let sent = publisher.sent();
		let pictures: Vec<_> = sent.iter().filter(|s| s.track == Track::Picture).collect();
		// Its size changes in the middle, for half of them.
		let change = if pick(2) == 0 {
			pictures.len()
		} else {
			pick(pictures.len().max(1) as u64)
		};
		let mut picture_tags = Vec::new();
		for part in [&pictures[..change], &pictures[change..]] {
			let size = SIZES[pick(sizes)];
			picture_tags.push(encode_pictures(id, publisher, part, size));
		}
		let sound_tags = encode_sound(publisher, sound, &sent);
		Film {
			tags: interleave(publisher, &sent, picture_tags, sound_tags),
		}
	});
	films.collect()
}

/// Puts the stamps of a publisher on what encoders made.
fn interleave(publisher: &Publisher, sent: &[Sent], pictures: Vec<Vec<Tag>>, sound: Vec<Tag>) -> Vec<Timed> {
	let mut pictures = pictures.into_iter().flatten().peekable();
	let is_header = |tag: &Tag| matches!(tag.content(), Ok(Content::PictureHeader(_) | Content::SoundHeader(_)));
	let sound_header = sound.iter().find(|tag| is_header(tag)).cloned();
	let pieces: Vec<_> = sound
		.into_iter()
		.filter(|tag| matches!(tag.content(), Ok(Content::Sound(_))))
		.collect();
	let mut tags = Vec::new();
	let mut put = |sent: &Sent, tag: Tag| {
		let key = matches!(tag.content(), Ok(Content::Frame { key: true, .. }));
		tags.push(Timed {
			arrives: sent.arrives,
			tag: Tag {
				stamp: sent.stamp,
				..tag
			},
			key,
		});
	};
	let mut first_sound = sound_header;
	for sent in sent {
		match sent.track {
			Track::Picture => {
				while let Some(header) = pictures.next_if(is_header) {
					put(sent, header);
				}
				put(sent, pictures.next().expect("as many as were sent"));
			},
			Track::Sound => {
				if let Some(header) = first_sound.take() {
					put(sent, header);
				}
				// The encoder's first one holds nothing: each is heard one later.
				put(sent, pieces[piece(publisher, sent) + 1].clone());
			},
		}
	}
	tags
}

/// Number of a piece of sound.
fn piece(publisher: &Publisher, sent: &Sent) -> usize {
	let clock = (sent.taken - publisher.from) * (1.0 + publisher.drift / 1e6);
	(clock * publisher.hertz / PIECE as f64).round() as usize
}

fn encode_pictures(id: usize, publisher: &Publisher, sent: &[&Sent], (width, height): (usize, usize)) -> Vec<Tag> {
	if sent.is_empty() {
		return Vec::new();
	}
	let times: Vec<_> = sent.iter().map(|sent| (sent.taken * 1e3).round() as u32).collect();
	let rate = publisher.rate.max(1.0);
	let args = format!(
		"-f rawvideo -pix_fmt gray -s {width}x{height} -r {rate} -i pipe:0 -fps_mode passthrough -c:v libx264 -preset ultrafast \
		 -tune zerolatency -pix_fmt yuv420p -crf 18 -g {}",
		rate.ceil()
	);
	let pictures = times.into_iter().map(move |ms| {
		let bits = bits(id as u32, ms);
		let mut picture = Vec::with_capacity(width * height);
		for row in 0..height {
			let level = if bits[row * BANDS / height] { 235 } else { 16 };
			picture.resize(picture.len() + width, level);
		}
		picture
	});
	let tags = encode(&args, pictures);
	let tags: Vec<_> = tags
		.into_iter()
		.filter(|tag| matches!(tag.content(), Ok(Content::PictureHeader(_) | Content::Frame { .. })))
		.collect();
	assert_eq!(tags.len(), sent.len() + 1, "a header and the pictures");
	tags
}

fn bits(publisher: u32, ms: u32) -> [bool; BANDS] {
	let sum = (publisher + ms) % (1 << SUM_BITS);
	let code = ((publisher << TIME_BITS | ms) << SUM_BITS) | sum;
	let mut bands = [false; BANDS];
	bands[0] = true;
	for (band, bit) in bands[2..]
		.iter_mut()
		.rev()
		.zip(0..PUBLISHER_BITS + TIME_BITS + SUM_BITS)
	{
		*band = code >> bit & 1 == 1;
	}
	bands
}

/// Publisher and time, ms, of a picture whose bands are so bright. `None`: none of these.
pub fn read_bands(levels: &[u8; BANDS]) -> Option<(usize, u32)> {
	let mut code = 0;
	for level in levels {
		let bit = match level {
			..=70 => 0,
			180.. => 1,
			_ => return None,
		};
		code = code << 1 | bit;
	}
	let rest = |bits: u32| code & ((1u32 << bits) - 1);
	let (sum, code) = (rest(SUM_BITS), code >> SUM_BITS);
	let (ms, publisher) = (
		code & ((1 << TIME_BITS) - 1),
		code >> TIME_BITS & ((1 << PUBLISHER_BITS) - 1),
	);
	let begins = code >> (TIME_BITS + PUBLISHER_BITS) == 0b10;
	(begins && (publisher + ms) % (1 << SUM_BITS) == sum).then_some((publisher as usize, ms))
}

fn encode_sound(publisher: &Publisher, (rate, channels): (u32, u32), sent: &[Sent]) -> Vec<Tag> {
	let last = sent
		.iter()
		.filter(|s| s.track == Track::Sound)
		.map(|s| piece(publisher, s))
		.max();
	let Some(last) = last else { return Vec::new() };
	let step = 1.0 / publisher.hertz / (1.0 + publisher.drift / 1e6);
	let (mut phase, mut taken) = (0.0f64, publisher.from);
	let pieces = (0..last + 3).map(move |_| {
		let mut piece = Vec::with_capacity(PIECE * 2 * channels as usize);
		for _ in 0..PIECE {
			let sample = ((phase * TAU).sin() * LOUD) as i16;
			(0..channels).for_each(|_| piece.extend(sample.to_le_bytes()));
			phase = (phase + step * (PITCH + RISE * taken.rem_euclid(PERIOD))).fract();
			taken += step;
		}
		piece
	});
	encode(
		&format!("-f s16le -ar {rate} -ac {channels} -i pipe:0 -c:a aac -b:a 96k"),
		pieces,
	)
}

/// FFmpeg's tags of raw pieces.
fn encode(args: &str, pieces: impl Iterator<Item = Vec<u8>> + Send + 'static) -> Vec<Tag> {
	let mut child = Command::new("ffmpeg")
		.args("-hide_banner -nostdin -loglevel error".split(' '))
		.args(args.split_whitespace())
		.args("-flvflags no_duration_filesize -f flv pipe:1".split(' '))
		.stdin(Stdio::piped())
		.stdout(Stdio::piped())
		.spawn()
		.unwrap();
	let mut stdin = child.stdin.take().unwrap();
	let writer = thread::spawn(move || {
		for piece in pieces {
			stdin.write_all(&piece).unwrap();
		}
	});
	let mut made = Vec::new();
	child.stdout.take().unwrap().read_to_end(&mut made).unwrap();
	writer.join().unwrap();
	assert!(child.wait().unwrap().success());
	let (mut reader, mut input, mut tags) = (Reader::new(1 << 24), &made[..], Vec::new());
	while let Some(tag) = reader.read(&mut input).unwrap() {
		if tag.kind != Kind::Script {
			tags.push(Tag {
				body: Bytes::copy_from_slice(&tag.body),
				..tag
			});
		}
	}
	tags
}
