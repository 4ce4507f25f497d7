//! Tags of every kind, whole files in pieces of any size, and files that are none.

use super::*;
use proptest::prelude::*;

fn tag(kind: Kind, stamp: u32, body: &[u8]) -> Tag {
	Tag {
		kind,
		stamp,
		body: Bytes::copy_from_slice(body),
	}
}

fn picture_of(body: &[u8]) -> Result<Content, FlvError> {
	tag(Kind::Picture, 0, body).content()
}

fn sound_of(body: &[u8]) -> Result<Content, FlvError> {
	tag(Kind::Sound, 0, body).content()
}

fn frame(key: bool, offset: i32, data: &'static [u8]) -> Result<Content, FlvError> {
	Ok(Content::Frame {
		key,
		offset,
		data: data.into(),
	})
}

#[test]
fn h264_and_aac_are_told_apart() {
	let header = |data: &'static [u8]| Ok(Content::PictureHeader(data.into()));
	assert_eq!(picture_of(b"\x17\0\0\0\0avcC"), header(b"avcC"));
	assert_eq!(picture_of(b"\x17\x01\0\0\0key"), frame(true, 0, b"key"));
	assert_eq!(picture_of(b"\x27\x01\0\0\x42inter"), frame(false, 0x42, b"inter"));
	assert_eq!(picture_of(b"\x27\x01\xFF\xFF\xFEb"), frame(false, -2, b"b"));
	assert_eq!(picture_of(b"\x37\x01\0\0\0disposable"), frame(false, 0, b"disposable"));
	assert_eq!(picture_of(b"\x17\x02\0\0\0"), Ok(Content::EndOfPictures));
	assert_eq!(picture_of(b"\x57\0"), Ok(Content::Nothing));
	assert_eq!(picture_of(b""), Ok(Content::Nothing));
	assert_eq!(
		sound_of(b"\xAF\0\x11\x90"),
		Ok(Content::SoundHeader(b"\x11\x90"[..].into()))
	);
	assert_eq!(sound_of(b"\xAF\x01raw"), Ok(Content::Sound(b"raw"[..].into())));
	assert_eq!(sound_of(b"\xAE\x01raw"), Ok(Content::Sound(b"raw"[..].into())));
	assert_eq!(sound_of(b""), Ok(Content::Nothing));
	assert_eq!(sound_of(b"\xAF"), Ok(Content::Nothing));
	assert_eq!(tag(Kind::Script, 0, b"\x02").content(), Ok(Content::Script));
}

#[test]
fn tag_that_ends_early_is_an_error_and_no_panic() {
	assert_eq!(picture_of(b"\x17"), Err(FlvError::Short(Kind::Picture)));
	assert_eq!(picture_of(b"\x17\0\0\0"), Err(FlvError::Short(Kind::Picture)));
	assert_eq!(picture_of(b"\x27\x01\0\0"), Err(FlvError::Short(Kind::Picture)));
	assert_eq!(picture_of(b"\x90hvc"), Err(FlvError::Short(Kind::Picture)));
	assert_eq!(picture_of(b"\x17\x07"), Err(FlvError::Packet(Kind::Picture, 7)));
	assert_eq!(sound_of(b"\x90Opu"), Err(FlvError::Short(Kind::Sound)));
	assert_eq!(sound_of(b"\xAF\x07"), Err(FlvError::Packet(Kind::Sound, 7)));
}

#[test]
fn other_codecs_are_named() {
	let named = |content: Result<Content, FlvError>| match content {
		Ok(Content::Unsupported(codec)) => codec.to_string(),
		other => panic!("{other:?}"),
	};
	for (body, name) in [
		(&b"\x90hvc1\x01"[..], "HEVC"),
		(b"\xA1hvc1\0\0\0data", "HEVC"),
		(b"\x90av01", "AV1"),
		(b"\x90vp09", "VP9"),
		(b"\x94hvc1metadata", "HEVC"),
		(b"\x90wxyz", "wxyz"),
		(b"\x90a\nb\x07", "codec 0x610a6207"),
		(b"\x96\x01hvc1", "enhanced RTMP with several tracks"),
		(b"\x97\x02\0\0\x01\x01hvc1", "HEVC"),
		(b"\x1c\0\0\0\0", "HEVC"),
		(b"\x12", "Sorenson H.263"),
		(b"\x14", "VP6"),
		(b"\x1f", "picture codec 15"),
	] {
		assert_eq!(named(picture_of(body)), name, "{body:?}");
	}
	for (body, name) in [
		(&b"\x90Opus"[..], "Opus"),
		(b"\x91ac-3", "AC-3"),
		(b"\x90.mp3", "MP3"),
		(b"\x95\0Opus", "enhanced RTMP with several tracks"),
		(b"\x2f", "MP3"),
		(b"\xB2", "Speex"),
		(b"\x3e", "PCM"),
		(b"\xc0", "sound codec 12"),
	] {
		assert_eq!(named(sound_of(body)), name, "{body:?}");
	}
}

#[test]
fn enhanced_h264_and_aac_become_what_old_decoders_read() {
	let picture = |body: &[u8]| tag(Kind::Picture, 7, body).plain();
	let sound = |body: &[u8]| tag(Kind::Sound, 7, body).plain();
	for (enhanced, plain) in [
		(picture(b"\x90avc1avcC"), &b"\x17\0\0\0\0avcC"[..]),
		(picture(b"\x91avc1\0\0\x42key"), b"\x17\x01\0\0\x42key"),
		(picture(b"\xA1avc1\xFF\xFF\xFEb"), b"\x27\x01\xFF\xFF\xFEb"),
		(picture(b"\xA3avc1inter"), b"\x27\x01\0\0\0inter"),
		(picture(b"\x97\x03\0\0\0\x01\x01avc1\0\0\0key"), b"\x17\x01\0\0\0key"),
		(picture(b"\x92avc1"), b"\x17\x02\0\0\0"),
		(sound(b"\x90mp4a\x11\x90"), b"\xAF\0\x11\x90"),
		(sound(b"\x91mp4araw"), b"\xAF\x01raw"),
		// As they were.
		(picture(b"\x27\x01\0\0\x42inter"), b"\x27\x01\0\0\x42inter"),
		(picture(b"\x90hvc1"), b"\x90hvc1"),
		(sound(b"\xAE\x01raw"), b"\xAE\x01raw"),
	] {
		assert_eq!(enhanced, tag(enhanced.kind, 7, plain));
		assert_eq!(enhanced.clone().plain(), enhanced);
	}
}

/// All tags of a file that comes in these pieces.
fn read_all<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Tag>, FlvError> {
	let mut reader = Reader::new(1 << 20);
	let mut tags = Vec::new();
	for mut piece in pieces {
		while let Some(tag) = reader.read(&mut piece)? {
			tags.push(tag);
		}
		assert!(piece.is_empty(), "all of it is taken");
	}
	assert!(reader.between_tags());
	Ok(tags)
}

fn file(tags: &[Tag]) -> Vec<u8> {
	let mut out = header(true, true).to_vec();
	tags.iter().for_each(|tag| write(tag, &mut out).unwrap());
	out
}

fn tags() -> impl Strategy<Value = Vec<Tag>> {
	let kinds = prop::sample::select(vec![Kind::Sound, Kind::Picture, Kind::Script]);
	let bodies = prop::collection::vec(any::<u8>(), 0..300);
	let tag = (kinds, any::<u32>(), bodies).prop_map(|(kind, stamp, body)| tag(kind, stamp, &body));
	prop::collection::vec(tag, 0..12)
}

/// What random bytes would hardly begin with.
fn starts() -> impl Strategy<Value = &'static [u8]> {
	prop::sample::select(vec![
		&b""[..],
		b"\x17\0",
		b"\x27\x01",
		b"\x90avc1",
		b"\xA1avc1",
		b"\xA3avc1",
		b"\x97",
		b"\xAF\0",
		b"\xAF\x01",
		b"\x90mp4a",
		b"\x91mp4a",
	])
}

proptest! {
	#[test]
	fn file_in_any_pieces_is_what_was_written(tags in tags(), cuts in prop::collection::vec(1_usize..400, 1..20)) {
		let file = file(&tags);
		let mut pieces = Vec::new();
		let mut rest = &file[..];
		for cut in cuts.iter().cycle() {
			if rest.is_empty() {
				break;
			}
			let (piece, behind) = rest.split_at((*cut).min(rest.len()));
			pieces.push(piece);
			rest = behind;
		}
		prop_assert_eq!(read_all(pieces).unwrap(), tags);
	}

	#[test]
	fn any_body_has_an_answer(start in starts(), rest in prop::collection::vec(any::<u8>(), 0..40), sound: bool) {
		let body = [start, &rest].concat();
		let tag = tag(if sound { Kind::Sound } else { Kind::Picture }, 1, &body);
		let content = tag.content();
		if let Ok(Content::Frame { data, .. } | Content::PictureHeader(data) | Content::Sound(data)) = &content {
			prop_assert!(body.ends_with(data));
		}
		// The same in the old form, except that what has no use stays as it is.
		prop_assert_eq!(tag.plain().content(), content);
	}
}

#[test]
fn tag_is_there_with_its_last_byte() {
	let whole = tag(Kind::Picture, 0xFEDC_BA98, b"\x17\x01\0\0\0data");
	let file = file(&[whole.clone(), whole.clone()]);
	let end = HEADER_BYTES + TAG_HEADER_BYTES + whole.body.len();
	let mut reader = Reader::new(100);
	assert_eq!(reader.read(&mut &file[..end - 1]).unwrap(), None);
	assert!(!reader.between_tags());
	assert_eq!(reader.read(&mut &file[end - 1..end]).unwrap(), Some(whole));
}

#[test]
fn reader_takes_what_it_needs_and_no_more_than_its_limit() {
	let mut reader = Reader::new(9);
	let file = file(&[tag(Kind::Sound, 0, &[0; 9]), tag(Kind::Sound, 0, &[0; 10])]);
	let mut input = &file[..];
	assert!(reader.read(&mut input).unwrap().is_some());
	assert_eq!(input.len(), file.len() - HEADER_BYTES - TAG_HEADER_BYTES - 9);
	let long = Err(FlvError::Long { length: 10, limit: 9 });
	assert_eq!(reader.read(&mut input), long);
	assert_eq!(reader.read(&mut &b"more"[..]), long);
}

#[test]
fn what_is_no_flv_is_refused() {
	let good = file(&[tag(Kind::Sound, 0, b"abc"), tag(Kind::Sound, 0, b"abc")]);
	let spoilt = |at: usize, byte: u8| {
		let mut file = good.clone();
		file[at] = byte;
		read_all([&file[..]])
	};
	assert!(read_all([&good[..]]).is_ok());
	assert_eq!(spoilt(0, b'f'), Err(FlvError::Header));
	assert_eq!(spoilt(3, 2), Err(FlvError::Header));
	assert_eq!(spoilt(8, 8), Err(FlvError::Header));
	assert_eq!(spoilt(13, 7), Err(FlvError::Kind(7)));
	assert_eq!(spoilt(13, 8 | 0x20), Err(FlvError::Kind(40)));
	assert_eq!(spoilt(13 + 11 + 3 + 3, 15), Err(FlvError::Back(14, 15)));
}

#[test]
fn tag_that_cannot_state_its_length_is_not_written() {
	let mut out = Vec::new();
	let long = tag(Kind::Picture, 0, &vec![0; LONGEST + 1]);
	assert!(matches!(write(&long, &mut out), Err(FlvError::Long { .. })));
	assert!(out.is_empty());
	write(&tag(Kind::Picture, 0, &vec![0; LONGEST]), &mut out).unwrap();
	assert_eq!(out.len(), LONGEST + TAG_HEADER_BYTES + 4);
}
