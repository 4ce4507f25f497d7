//! What the two encoders are told.
//!
//! | choice | why |
//! | --- | --- |
//! | 854x480 at 30 pictures/s | one rendition that a small machine encodes and most lines carry |
//! | 1350 kb/s + AAC 128 kb/s, 1500 kb/s over any second | about 1.5 Mb/s, so that no window is late for being large |
//! | closed GOP of 60 pictures, no scene-cut key frames | every window is exactly 2 s and decodable by itself |
//! | no B-frames, 3 pictures of lookahead, sliced threads | 0.14 s from last picture in to window out; x264's defaults take 0.48 s for 0.1 dB of SSIM, `zerolatency` 0.04 s but loses 0.4 dB |
//! | colours tagged in the parameter sets | BT.709, limited range, is what the decoders' filters make; players guess otherwise |
//! | `a53cc=0` | captions of the source do not go through: there are no pictures of its own behind the mixer |
//! | FLV out, flushed after each packet | a tag says its length: a picture is whole at once, not when the next one begins |
//! | no stamps | neither muxer nor encoder is asked when something is: [`clustercast_media::plan`] counts |

use clustercast_media::{
	picture::{CHANNELS, HEIGHT, PICTURES_PER_SEGMENT, RATE, SAMPLE_RATE, WIDTH},
	plan::Track,
};

/// FFmpeg's arguments; it reads standard input and writes standard output. `in_segment`: which picture of its segment the first
/// one is.
pub(super) fn arguments(track: Track, in_segment: u32) -> Vec<String> {
	let words = match track {
		Track::Picture => picture(in_segment),
		Track::Sound => sound(),
	};
	// Neither looks ahead to find out what it reads.
	let input =
		"-hide_banner -nostdin -nostats -loglevel warning -probesize 32 -analyzeduration 0 -protocol_whitelist pipe";
	let output = "-fflags +bitexact -flush_packets 1 -flvflags no_duration_filesize -f flv pipe:1";
	[input, &words, output]
		.iter()
		.flat_map(|part| part.split(' '))
		.map(String::from)
		.collect()
}

fn picture(in_segment: u32) -> String {
	let gop = PICTURES_PER_SEGMENT;
	// Key frames belong to the beginnings of segments, wherever it begins itself.
	let key = match in_segment {
		0 => String::new(),
		before => format!(" -force_key_frames expr:eq(mod(n+{before},{gop}),0)"),
	};
	format!(
		"-f rawvideo -pixel_format yuv420p -video_size {WIDTH}x{HEIGHT} -framerate {RATE} -i pipe:0 -fps_mode passthrough \
		 -c:v libx264 -preset veryfast -b:v 1350k -maxrate 1500k -bufsize 1500k -bf 0 -sc_threshold 0 -g {gop} \
		 -keyint_min {gop} -a53cc 0{key} -x264-params open-gop=0:rc-lookahead=3:sync-lookahead=0:sliced-threads=1:\
		 colorprim=bt709:transfer=bt709:colormatrix=bt709:fullrange=off"
	)
}

fn sound() -> String {
	format!("-f s16le -ar {SAMPLE_RATE} -ac {CHANNELS} -i pipe:0 -c:a aac -b:a 128k")
}
