//! The command line.

use crate::{
	origin::{Check, Config, Origin},
	studio::{Input, InputError},
	tier::Times,
	trade,
};
use anyhow::Result;
use clap::{
	builder::TypedValueParser,
	error::{Error, ErrorKind},
	Arg, Parser, Subcommand,
};
use clustercast_chain::NodeUrl;
use clustercast_media::picture::{PICTURES_PER_SEGMENT, RATE};
use clustercast_network::{Multiaddr, PeerId};
use clustercast_pay::funds::Wanted;
use clustercast_primitives::{PublicKey, StreamId, Usdc};
use std::{
	ffi::OsStr,
	net::SocketAddr,
	num::{NonZeroU32, NonZeroU64, NonZeroUsize},
	path::PathBuf,
	process::ExitCode,
	time::Duration,
};

const MINUTE: Duration = Duration::from_secs(60);

/// Broadcasts live video to relayers, every window signed.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
	#[command(subcommand)]
	command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
	/// Mints a stream key; prints {"stream":N}
	Mint(trade::Mint),
	/// Replaces what people see of a stream: title, category, most viewers
	Update(trade::Update),
	/// Announces another price, surge bound or share, in force 20 minutes later; prints
	/// {"stream":N,"pricePerGb":N,"maxSurgePpm":N,"broadcasterSharePpm":N,"from":BLOCK}
	SetTerms(trade::SetTerms),
	/// Announces the end of a stream key, in force 20 minutes later: nothing is paid for it from then on, and a day after
	/// that its deposit is returned. `set-terms` takes it back until then; prints {"stream":N,"ends":BLOCK}
	Burn(trade::Burn),
	/// Gives a stream key with its deposit to another account
	Transfer(trade::Transfer),
	/// Offers a stream key for sale
	List(trade::List),
	/// Buys a stream key that is for sale; prints {"stream":N,"price":USDC}
	Buy(trade::Buy),
	/// Offers a stream key for rent
	RentOut(trade::RentOut),
	/// Rents a stream key; prints {"stream":N,"price":USDC,"rentedFrom":BLOCK,"rentedUntil":BLOCK}
	Rent(trade::Rent),
	/// Replaces the key that signs a stream's windows; prints {"stream":N,"signingKey":HEX}. It is the origin's peer id
	/// too: relayers find whoever has it at the addresses that they have
	RotateKey(trade::RotateKey),
	/// Broadcasts; the first line printed is {"listening":"ADDRESS/p2p/ID"}
	Run(Box<Run>),
}

#[derive(Debug, clap::Args)]
struct Run {
	/// A node's JSON-RPC; of several, the first that is whole is asked
	#[arg(
		long,
		value_name = "WS",
		value_delimiter = ',',
		default_value = "ws://127.0.0.1:9944",
		env = "CLUSTERCAST_ORIGIN_RPC",
		hide_env_values = true
	)]
	rpc: Vec<NodeUrl>,
	/// Number of the stream key
	#[arg(long, value_name = "N")]
	stream: u64,
	/// The stream's signing key, as `mint` made it: 32-byte seed as hex; also the identity on the network
	#[arg(long, value_name = "FILE")]
	signing_key: PathBuf,
	/// Where relayers connect; UDP port 0 takes a free one
	#[arg(long, value_name = "MULTIADDR", default_value = "/ip4/0.0.0.0/udp/4001/quic-v1")]
	listen: Multiaddr,
	/// test, rtmp://HOST:PORT/APP (listens for OBS or FFmpeg), device:PATH, or the path of a file
	#[arg(long, value_name = "INPUT", value_parser = Unrepeated)]
	input: Input,
	/// Plays a file again and again
	#[arg(long)]
	repeat: bool,
	/// Holds the key that lets publish over RTMP; made when missing [default: rtmp.key in the folder of --state, or what
	/// CLUSTERCAST_ORIGIN_STREAM_KEY holds]
	#[arg(long, value_name = "FILE")]
	stream_key_file: Option<PathBuf>,
	/// Folder that keeps the newest window: the next run goes on behind it. For one origin at a time
	#[arg(long, value_name = "DIR")]
	state: PathBuf,
	/// Writes what is published to this file; replaces it
	#[arg(long, value_name = "FILE")]
	record: Option<PathBuf>,
	/// Writes a line of JSON for each window to this file; replaces it
	#[arg(long, value_name = "FILE")]
	window_log: Option<PathBuf>,
	/// Signs and sends parts of so many milliseconds (100, 200, 400, 500 or 1000; 200 where none is said), not whole segments of 2 s:
	/// viewers are about a second behind. After a power cut the next run begins anew, not behind the newest part
	#[arg(
		long,
		value_name = "MS",
		num_args = 0..=1,
		default_missing_value = "200",
		value_parser = pictures
	)]
	low_latency: Option<u32>,
	/// Ends the broadcast after so many seconds
	#[arg(long, value_name = "N")]
	seconds: Option<u64>,
	/// Serves anyone, not only registered relayers
	#[arg(long)]
	open: bool,
	/// Most relayers at a time: each takes a copy of the stream from your line. Others are told who has them
	#[arg(long, value_name = "N", default_value = "3")]
	max_relayers: NonZeroUsize,
	/// What your line carries upwards, 10^6 bits/s: as many copies go out as fit into four fifths of it, one at least, and they are sent
	/// at nine tenths of it [default: no limit]
	#[arg(long, value_name = "N")]
	uplink_mbps: Option<NonZeroU32>,
	/// The relayer that has a copy whenever it comes: its peer id, or its key as hex
	#[arg(long, value_name = "KEY", value_parser = relayer)]
	pin: Option<PublicKey>,
	/// Pays for what is bought of relayers to see whether they sell: //Name, a mnemonic, or file:PATH. None but this should know whose it
	/// is; repeat it for several, of which any buys each time. Without it relayers are not checked
	#[arg(long, value_name = "ACCOUNT", conflicts_with = "open")]
	check_account: Vec<String>,
	/// Deposit to keep on each for that, USDC; topped up when less than half is left
	#[arg(long, value_name = "USDC", default_value = "1")]
	check_deposit: Usdc,
	/// From one check of a relayer to the next, on average
	#[arg(long, value_name = "N", default_value = "60")]
	check_seconds: NonZeroU32,
	/// Of two copies or more, the relayer that came last makes room for one that waits after so long
	#[arg(long, value_name = "N", default_value = "10")]
	turn_minutes: NonZeroU32,
	/// A relayer that failed two checks has no copy that somebody else wants for so long
	#[arg(long, value_name = "N", default_value = "30")]
	rest_minutes: NonZeroU32,
	/// Serves figures for Prometheus at http://ADDR/metrics
	#[arg(long, value_name = "ADDR", value_parser = clustercast_cli::socket_address)]
	metrics: Option<SocketAddr>,
	/// Memory for past windows, MB (10^6 bytes): what a relayer can catch up
	#[arg(long, value_name = "N", default_value_t = 64)]
	cache_mb: usize,
	/// The FFmpeg program
	#[arg(
		long,
		value_name = "PATH",
		default_value = "ffmpeg",
		env = "CLUSTERCAST_ORIGIN_FFMPEG"
	)]
	ffmpeg: PathBuf,
}

/// A relayer's key, however it is written.
fn relayer(text: &str) -> Result<PublicKey, String> {
	match text.parse::<PeerId>() {
		Ok(peer) => clustercast_network::public_key(&peer).map_err(|error| error.to_string()),
		Err(_) => text
			.parse()
			.map_err(|_| "neither a peer id, as `clustercast-relayer register` prints it, nor 32 bytes as hex".into()),
	}
}

/// Pictures of a part that plays so many milliseconds.
fn pictures(ms: &str) -> Result<u32, String> {
	let ms: u32 = ms.parse().map_err(|_| "not a number of milliseconds".to_owned())?;
	let pictures = ms.saturating_mul(RATE) / 1_000;
	let is_whole = pictures > 0 && pictures * 1_000 == ms.saturating_mul(RATE);
	(is_whole && (100..=1_000).contains(&ms) && PICTURES_PER_SEGMENT.is_multiple_of(pictures))
		.then_some(pictures)
		.ok_or_else(|| "parts play 100, 200, 400, 500 or 1000 ms".to_owned())
}

/// Parses an input without repeating it where it is wrong: the stream key may be in it.
#[derive(Clone, Debug)]
struct Unrepeated;

impl TypedValueParser for Unrepeated {
	type Value = Input;

	fn parse_ref(&self, command: &clap::Command, arg: Option<&Arg>, value: &OsStr) -> Result<Input, Error> {
		let error = |error: &str| {
			let name = arg.map_or_else(String::new, |arg| format!("'{arg}': "));
			Error::raw(ErrorKind::ValueValidation, format!("{name}{error}\n")).with_cmd(command)
		};
		let text = value.to_str().ok_or_else(|| error("not UTF-8"))?;
		text.parse().map_err(|wrong: InputError| error(&wrong.to_string()))
	}
}

/// The whole program.
pub fn main() -> ExitCode {
	let cli = clustercast_cli::parse();
	clustercast_cli::log("info", std::io::stderr);
	clustercast_cli::end("clustercast-origin", run(cli))
}

#[tokio::main]
async fn run(cli: Cli) -> Result<()> {
	let answer = match cli.command {
		Command::Run(args) => return Origin::load((*args).into()).await?.run().await,
		Command::Mint(args) => args.run().await?,
		Command::Update(args) => args.run().await?,
		Command::SetTerms(args) => args.run().await?,
		Command::Burn(args) => args.run().await?,
		Command::Transfer(args) => args.run().await?,
		Command::List(args) => args.run().await?,
		Command::Buy(args) => args.run().await?,
		Command::RentOut(args) => args.run().await?,
		Command::Rent(args) => args.run().await?,
		Command::RotateKey(args) => args.run().await?,
	};
	println!("{answer}");
	Ok(())
}

impl From<Run> for Config {
	fn from(args: Run) -> Self {
		Self {
			rpc: args.rpc,
			stream: StreamId(args.stream),
			signing_key: args.signing_key,
			listen: args.listen,
			input: args.input,
			repeat: args.repeat,
			stream_key_file: args.stream_key_file,
			ffmpeg: args.ffmpeg,
			state: args.state,
			record: args.record,
			window_log: args.window_log,
			pictures_per_part: args.low_latency,
			seconds: args.seconds.map(Duration::from_secs),
			open: args.open,
			max_relayers: args.max_relayers.get(),
			uplink: args
				.uplink_mbps
				.and_then(|mbps| NonZeroU64::new(u64::from(mbps.get()) * 1_000_000 / 8)),
			pinned: args.pin,
			times: Times {
				turn: MINUTE * args.turn_minutes.get(),
				rest: MINUTE * args.rest_minutes.get(),
				check: Duration::from_secs(args.check_seconds.get().into()),
			},
			check: (!args.check_account.is_empty()).then_some(Check {
				accounts: args.check_account,
				wanted: Wanted {
					deposit: args.check_deposit.0,
					limit: args.check_deposit.0,
				},
			}),
			metrics: args.metrics,
			cache_bytes: args.cache_mb.saturating_mul(1_000_000),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use clap::CommandFactory;
	use std::collections::BTreeSet;

	#[test]
	fn command_line_is_well_formed() {
		Cli::command().debug_assert();
	}

	#[test]
	fn manual_has_each_flag_of_run_and_no_other() {
		let page = include_str!("../../docs/broadcast.md");
		let table = page.split("## Flags of `run`").nth(1).unwrap();
		let rows = table.split("\n## ").next().unwrap().lines();
		let documented: BTreeSet<String> = rows
			.filter_map(|row| row.strip_prefix("| `--"))
			.filter_map(|row| row.split([' ', '`']).next())
			.map(str::to_owned)
			.collect();
		let command = Cli::command();
		let run = command.find_subcommand("run").unwrap();
		let flags = run.get_arguments().filter_map(|arg| arg.get_long());
		let flags = flags.filter(|flag| !["help", "version"].contains(flag));
		assert_eq!(documented, flags.map(str::to_owned).collect());
	}

	#[test]
	fn refusal_of_an_input_names_the_reason_and_not_the_key() {
		for (input, reason) in [
			(
				"rtmp://h/live/hush hush",
				"the stream key has a space or a line break, where publishers cut it off",
			),
			("rtmp://h:x/live/hush", "the port is not a number from 0 to 65535"),
			("srt://h/hush", "unknown kind of input"),
		] {
			let words = "clustercast-origin run --stream 1 --signing-key k --state s --input".split(' ');
			let error = Cli::try_parse_from(words.chain([input])).unwrap_err().to_string();
			assert!(error.contains(reason) && error.contains("--input"), "{error}");
			assert!(!error.contains("hush"), "{error}");
		}
	}

	#[test]
	fn parts_divide_a_segment() {
		for (ms, of) in [("100", 3), ("200", 6), ("400", 12), ("500", 15), ("1000", 30)] {
			assert_eq!(pictures(ms), Ok(of), "{ms}");
		}
		for wrong in [
			"",
			"0",
			"50",
			"150",
			"300",
			"250",
			"2000",
			"-200",
			"4294967295",
			"200ms",
		] {
			assert!(pictures(wrong).is_err(), "{wrong}");
		}
		let line = |option: &str| {
			let words = "clustercast-origin run --stream 1 --signing-key k --state s --input test".split(' ');
			let cli = Cli::try_parse_from(words.chain(option.split_whitespace())).unwrap();
			match cli.command {
				Command::Run(run) => run.low_latency,
				other => panic!("{other:?}"),
			}
		};
		assert_eq!(
			(line(""), line("--low-latency"), line("--low-latency 500")),
			(None, Some(6), Some(15))
		);
	}

	#[test]
	fn pinned_relayer_is_named_by_peer_id_or_key() {
		let key = clustercast_primitives::crypto::KeyPair::from_seed([7; 32]).public();
		let peer = clustercast_network::peer_id(&key).unwrap().to_base58();
		for text in [
			peer,
			key.to_string(),
			key.to_string().trim_start_matches("0x").to_owned(),
		] {
			assert_eq!(relayer(&text), Ok(key), "{text}");
		}
		assert!(relayer("12D3KooW").unwrap_err().contains("register"));
	}

	#[test]
	fn three_copies_go_out_unless_it_is_said_and_the_uplink_is_bits() {
		let config = |options: &str| {
			let words = "clustercast-origin run --stream 1 --signing-key k --state s --input test".split(' ');
			match Cli::try_parse_from(words.chain(options.split_whitespace()))
				.unwrap()
				.command
			{
				Command::Run(run) => Config::from(*run),
				other => panic!("{other:?}"),
			}
		};
		let usual = config("");
		assert_eq!(
			(usual.max_relayers, usual.uplink, usual.check.is_none()),
			(3, None, true)
		);
		assert_eq!(usual.times, Times::default());
		let said =
			config("--uplink-mbps 8 --max-relayers 1 --check-account //Eve --check-account //Ferdie --check-seconds 3");
		assert_eq!((said.max_relayers, said.uplink), (1, NonZeroU64::new(1_000_000)));
		let check = said.check.unwrap();
		assert_eq!(
			(check.accounts, check.wanted.deposit),
			(vec!["//Eve".into(), "//Ferdie".into()], 1_000_000)
		);
		assert_eq!(said.times.check, Duration::from_secs(3));
	}

	#[test]
	fn what_is_changed_of_a_stream_is_named() {
		let parse = |line: &str| {
			let common = ["--account", "//Alice", "--stream", "3"];
			let words = ["clustercast-origin"].into_iter().chain(line.split(' ')).chain(common);
			Cli::try_parse_from(words)
				.map(|_| ())
				.map_err(|error| error.to_string())
		};
		for good in [
			"update --title Two",
			"update --category sport --max-viewers 0",
			"set-terms --price-per-gb 30000",
			"set-terms --max-surge-ppm 1500000 --broadcaster-share-ppm 100000",
			"burn",
		] {
			assert_eq!(parse(good), Ok(()), "{good}");
		}
		for (bad, words) in [
			("update", "--title"),
			("set-terms", "--price-per-gb"),
			("set-terms --price-per-gb 0.02", "invalid value"),
			("update --max-viewers many", "invalid value"),
			("burn --price-per-gb 1", "unexpected argument"),
		] {
			let error = parse(bad).unwrap_err();
			assert!(error.contains(words), "{bad}: {error}");
		}
	}

	#[test]
	fn an_offer_is_made_whole_or_withdrawn() {
		let parses = |line: &str| {
			let common = ["--account", "//Alice", "--stream", "3"];
			let words = ["clustercast-origin"].into_iter().chain(line.split(' ')).chain(common);
			Cli::try_parse_from(words).is_ok()
		};
		for good in [
			"list --price 12.5",
			"list --withdraw",
			"rent-out --price 0 --blocks 30",
			"rent-out --withdraw",
			"transfer --to 5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY --signing-key \
			 d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
			"buy --signing-key k --max-price 1",
			"rent --signing-key k --max-price 1 --min-blocks 5",
		] {
			assert!(parses(good), "{good}");
		}
		for bad in [
			"list",
			"list --price 1 --withdraw",
			"rent-out --price 1",
			"rent-out --blocks 1",
			"rent-out",
			"rent-out --withdraw --price 1 --blocks 1",
			"transfer --to 5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY",
			"transfer --to nobody --signing-key d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
			"buy --signing-key k",
			"rent --signing-key k --max-price 1",
		] {
			assert!(!parses(bad), "{bad}");
		}
	}
}
