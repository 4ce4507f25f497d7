//! What FFmpeg does with what it has decoded, so that every picture comes out as [`clustercast_media::picture`] has it, and every
//! sound as 48 kHz stereo; stamps stay as they are.
//!
//! | filter | when | why |
//! | --- | --- | --- |
//! | `bwdif`, fields only | the source may hold fields | it holds a picture back, so not for all; it fails below 3x4 pixels |
//! | `setparams` | the source does not say which matrix its colours are of | FFmpeg takes BT.601 for all; what comes in HD is BT.709 |
//! | `scale`, `pad` | always | square pixels at the right aspect, black around; BT.709, limited range |
//! | `zscale`, `tonemap` | PQ and HLG that say so | `zscale` ends FFmpeg on input that says nothing |

use clustercast_media::{
	h264::Shape,
	picture::{HEIGHT, WIDTH},
};

/// Smallest side that is deinterlaced, pixels: nothing below holds fields.
const MIN_INTERLACED: u32 = 32;

/// From this height, or twice this width, colours without a tag are those of HD, pixels: 576 lines are the largest of SD.
const HD_HEIGHT: u32 = 577;
const HD_WIDTH: u32 = 1025;

/// How hard a decoder tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effort {
	/// All that the source asks for.
	Full,
	/// Only what works with any FFmpeg and any input.
	Plain,
}

/// The chain for pictures of this shape.
pub(super) fn pictures(shape: Shape, effort: Effort) -> String {
	let mut chain = Vec::new();
	if shape.interlaced && shape.width.min(shape.height) >= MIN_INTERLACED {
		chain.push("bwdif=mode=send_frame:deint=interlaced".to_owned());
	}
	if !shape.tagged {
		let hd = shape.height >= HD_HEIGHT || shape.width >= HD_WIDTH;
		let matrix = if hd { "bt709" } else { "smpte170m" };
		chain.push(format!("setparams=colorspace={matrix}"));
	}
	// The largest even sides that fit, of at least 2 pixels. `dar` is the aspect of what is to be seen.
	let (half_width, half_height) = (WIDTH / 2, HEIGHT / 2);
	let size = format!(
		"w='if(gt(dar,{WIDTH}/{HEIGHT}),{WIDTH},max(2,2*round({half_height}*dar)))':\
		 h='if(gt(dar,{WIDTH}/{HEIGHT}),max(2,2*round({half_width}/dar)),{HEIGHT})'"
	);
	if shape.high_dynamic_range && effort == Effort::Full {
		// First small, then light.
		chain.push(format!("scale={size}"));
		chain.push("zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=tonemap=hable:desat=0".into());
		chain.push("zscale=t=bt709:m=bt709:r=tv,format=yuv420p".into());
	} else {
		chain.push(format!("scale={size}:out_color_matrix=bt709:out_range=tv"));
	}
	chain.push(format!(
		"pad={WIDTH}:{HEIGHT}:(ow-iw)/2:(oh-ih)/2:eval=frame,setsar=1,format=yuv420p"
	));
	chain.join(",")
}
