//! USDC comes in from the L2 and goes back to it, through restarts, lies and reorganisations, and none is made or lost.

mod agents;
mod page;

use anyhow::{ensure, Context, Result};
use clustercast_bridge::{imports::BATCH, l2};
use clustercast_chain::{bridge::import_deposits, Chain, ChainError};
use clustercast_e2e::{
	bridge::{command, deposit, typescript, Agent, Wallet, CHAIN_ID, EXISTENTIAL_DEPOSIT, L2},
	lab::Lab,
	network::Network,
	process::program,
	programs::run_once,
};
use clustercast_primitives::{
	amount::USDC,
	bridge::{attestation, deposit::prove},
	crypto::KeyPair,
	session::SessionProof,
	Balance, BlockNumber, EthereumAddress, Usdc,
};
use serde_json::{json, Value};
use std::{env, fs, time::Duration};
use tokio::{
	process::Command,
	time::{sleep, Instant},
};

/// Blocks of the L2, of a second each, in which a deposit can be made and undone before it is final.
const UNDOABLE: u32 = 40;

/// Blocks in a session of the chain: validators hand over to the next set each 24 s.
const SESSION: BlockNumber = 12;

/// The manual for integrators.
const MANUAL: &str = include_str!("../../../docs/integrate.md");

/// The commands of its part for the command line, in order.
fn commands() -> Result<impl Iterator<Item = &'static str>> {
	let (_, part) = MANUAL
		.split_once("## From the command line\n\n```sh\n")
		.context("the part is there")?;
	let (block, _) = part.split_once("```").context("it ends")?;
	Ok(block.lines().filter(|line| line.starts_with("clustercast-bridge ")))
}

/// How long the L2 and the chain are away, as seconds in `CLUSTERCAST_OUTAGES`, or briefly.
fn outages() -> Result<[Duration; 2]> {
	let seconds = env::var("CLUSTERCAST_OUTAGES").unwrap_or("15,10".into());
	let (l2, chain) = seconds.split_once(',').context("CLUSTERCAST_OUTAGES is 600,300, say")?;
	Ok([l2.parse()?, chain.parse()?].map(Duration::from_secs))
}

struct World {
	l2: L2,
	network: Network,
	/// Has USDC and nothing else on either chain, but for gas.
	alice: Wallet,
	/// Pays for the agent's gas.
	payer: Wallet,
}

impl World {
	/// Validators see the L2 by these JSON-RPCs beside its own.
	async fn start(lab: &Lab, finality: u32, others: &[&L2]) -> Result<Self> {
		let mut l2 = L2::start(lab, "anvil", finality).await?;
		let mut urls = vec![l2.url()];
		if !others.is_empty() {
			// An honest majority: of three, two.
			urls.push(l2.url());
			urls.extend(others.iter().map(|other| other.url()));
		}
		let network = Network::start_beside(lab, &l2, &urls.join(","), SESSION).await?;
		l2.deploy(&network).await?;
		let (alice, payer) = (Wallet::new(lab, 0)?, Wallet::new(lab, 1)?);
		l2.fund(&alice.address, 100 * USDC).await?;
		l2.fund(&payer.address, 0).await?;
		Ok(Self {
			l2,
			network,
			alice,
			payer,
		})
	}

	fn chain(&self) -> &Chain {
		self.network.books().chain()
	}

	async fn deposit(&self, amount: Balance, escrow: Balance) -> Result<Value> {
		let account = self.alice.account();
		deposit(&self.network, &self.l2, &self.alice, &account, (amount, escrow), None).await
	}

	/// Alice takes this much back; the number of the withdrawal. Bob, who has an account on the chain,
	/// submits her message.
	async fn withdraw(&self, amount: Balance) -> Result<u64> {
		let mut act = command("act", &self.network)?;
		act.args(["--account", "//Bob", "withdraw", "--key", &self.alice.secret()])
			.args(["--amount", &Usdc(amount).to_string(), "--fee", "0.5", "--tip", "0.01"]);
		run_once(&mut act).await?["withdrawal"].as_u64().context("a number")
	}

	/// What Alice has on the chain: not for tickets, though it may be kept for the account to exist; and for tickets.
	async fn holdings(&self) -> Result<(Balance, Balance)> {
		let account = self.chain().viewer_account(&self.alice.account(), None).await?;
		let kept = if account.deposit > 0 { EXISTENTIAL_DEPOSIT } else { 0 };
		Ok((account.free + kept, account.deposit))
	}

	async fn status(&self, subject: &str) -> Result<Value> {
		let mut status = command("status", &self.network)?;
		run_once(status.args(["--l2-rpc", &self.l2.url(), subject])).await
	}

	/// What a command prints in an integrator's shell.
	async fn shell(&self, lab: &Lab, line: &str) -> Result<Value> {
		let programs = program("clustercast-bridge")?;
		let programs = programs.parent().context("a folder")?.display();
		let mut shell = Command::new("bash");
		shell
			.args(["-c", line])
			.current_dir(lab.path("."))
			.env("PATH", format!("{programs}:{}", env::var("PATH")?))
			.env("CLUSTERCAST_BRIDGE_RPC", self.network.rpc(0))
			.env("CLUSTERCAST_BRIDGE_L2_RPC", self.l2.url())
			.env("CLUSTERCAST_BRIDGE_KEY", self.alice.secret());
		run_once(&mut shell).await.with_context(|| line.to_owned())
	}

	/// Submits to every node, before validators attest it, what the agent will submit once they have: anyone can.
	async fn import_too_early(&self) -> Result<()> {
		let bridge = self.chain().bridge(None).await?;
		let l2 = l2::L2::connect(&self.l2.url(), &bridge.vault, bridge.chain_id).await?;
		let deposits = l2.deposits(bridge.first, l2.block_number().await?, None).await?;
		let early = import_deposits(&prove(&deposits, bridge.next_deposit, BATCH));
		for validator in 0..4 {
			let node = Chain::connect(&[self.network.rpc(validator).parse()?]).await?;
			let refused = node.submit_unsigned(&early).await;
			ensure!(matches!(refused, Err(ChainError::Refused { .. })), "{refused:?}");
		}
		Ok(())
	}

	async fn wait_imported(&self, count: u64) -> Result<()> {
		let imported = async || Ok(self.chain().bridge(None).await?.next_deposit >= count);
		self.l2.wait("deposits are imported", imported).await
	}

	async fn wait_executed(&self, id: u64) -> Result<()> {
		let executed = async || Ok(self.status(&id.to_string()).await?["stage"] == "executed");
		self.l2.wait("a withdrawal is executed", executed).await
	}

	/// Waits until this set of validators is in office.
	async fn wait_set(&self, id: u64) -> Result<()> {
		let in_office = async || {
			let newest = self.chain().head().finalised;
			let leaf = self.chain().mmr_leaf(newest, newest).await?.leaf;
			Ok(leaf.next_authority_set.id > id)
		};
		self.l2.wait("validators hand over", in_office).await
	}

	/// The vault holds what was imported less what went out; the chain has what was there at genesis and that.
	async fn check_supply(&self, genesis: Balance) -> Result<()> {
		let bridge = self.chain().bridge(None).await?;
		let vault = self.l2.in_vault().await?;
		ensure!(
			vault == bridge.imported - bridge.withdrawn && bridge.issuance == genesis + vault && bridge.stranded == 0,
			"the vault holds {vault}, at genesis there was {genesis}: {bridge:?}"
		);
		Ok(())
	}
}

#[test]
fn an_ethereum_wallet_alone_brings_usdc_in_and_takes_it_back() {
	Lab::run(async |lab| {
		let world = World::start(lab, 4, &[]).await?;
		let genesis = world.chain().bridge(None).await?.issuance;
		let mut agent = Agent::start(lab, &world.network, &world.l2, &world.payer).await?;

		let began = Instant::now();
		let deposit = world.deposit(20 * USDC, 15 * USDC).await?;
		world.wait_imported(1).await?;
		println!("a deposit took {:?}, finality of the L2 included", began.elapsed());
		ensure!(
			world.holdings().await? == (5 * USDC, 15 * USDC),
			"{:?}",
			world.holdings().await?
		);
		let status = world.status(deposit["transaction"].as_str().context("a hash")?).await?;
		ensure!(status["deposits"][0]["stage"] == "imported", "{status}");
		world.check_supply(genesis).await?;

		// The same with viem.
		let seen = typescript(&world.network, &world.l2, &world.alice, &["deposit", "10"]).await?;
		ensure!(seen["free"] == (10 * USDC - EXISTENTIAL_DEPOSIT).to_string(), "{seen}");
		ensure!(
			world.holdings().await? == (10 * USDC, 20 * USDC),
			"{:?}",
			world.holdings().await?
		);

		let began = Instant::now();
		let first = world.withdraw(4 * USDC).await?;
		world.wait_executed(first).await?;
		println!("a withdrawal took {:?}", began.elapsed());
		ensure!(world.l2.usdc(&world.alice.address).await? == 73 * USDC + USDC / 2);
		ensure!(
			world.l2.usdc(&world.payer.address).await? == USDC / 2,
			"the agent's fee"
		);
		world.check_supply(genesis).await?;

		// The rest, by a message that viem signs and Bob submits.
		let message = typescript(&world.network, &world.l2, &world.alice, &["withdraw", "0"]).await?;
		let file = lab.path("message.json");
		fs::write(&file, message.to_string())?;
		let mut submit = command("act", &world.network)?;
		let done = run_once(submit.args(["--account", "//Bob", "submit"]).arg(&file)).await?;
		world
			.wait_executed(done["withdrawal"].as_u64().context("a number")?)
			.await?;
		// What keeps an account with a deposit for tickets alive.
		ensure!(
			world.holdings().await? == (EXISTENTIAL_DEPOSIT, 20 * USDC),
			"{:?}",
			world.holdings().await?
		);
		world.check_supply(genesis).await?;

		// No message is taken twice.
		let mut again = command("act", &world.network)?;
		let error = run_once(again.args(["--account", "//Bob", "submit"]).arg(&file))
			.await
			.unwrap_err();
		ensure!(error.to_string().contains("AlreadyUsed"), "{error}");
		agent.check_alive()
	});
}

#[test]
fn commands_of_the_manual_do_what_it_says() {
	Lab::run(async |lab| {
		let world = World::start(lab, 4, &[]).await?;
		let genesis = world.chain().bridge(None).await?.issuance;
		let agent = Agent::start(lab, &world.network, &world.l2, &world.payer).await?;
		fs::copy(&world.payer.key, lab.path("payer.key"))?;
		let session = KeyPair::from_seed([9; 32]);
		let account = world.alice.account();
		let proof = session
			.sign(SessionProof { account }, &world.chain().genesis())
			.signature;
		let session = session.public();
		let (mut transaction, mut deposits) = (String::new(), 0);
		for line in commands()? {
			let expiry = world.chain().head().best + 1_000;
			let line = line
				.replace("0xTRANSACTION", &transaction)
				.replace("--session-key KEY", &format!("--session-key {session}"))
				.replace("PROOF", &proof.to_string())
				.replace("BLOCK", &expiry.to_string())
				.replace("//Submitter", "//Bob");
			let answer = world.shell(lab, &line).await?;
			println!("{line}: {answer}");
			if line.contains(" deposit ") {
				transaction = answer["transaction"].as_str().context("a hash")?.to_owned();
				deposits += 1;
				world.wait_imported(deposits).await?;
			}
		}
		ensure!(deposits == 2, "{deposits} deposits");
		let account = world.chain().viewer_account(&world.alice.account(), None).await?;
		ensure!(account.sessions.iter().any(|known| known.key == session), "{account:?}");
		world.wait_executed(0).await?;
		let paid = world.l2.usdc(&world.payer.address).await?;
		ensure!(paid >= USDC / 10, "the payer has {paid}");
		let back = world.l2.usdc(&world.alice.address).await?;
		ensure!((88 * USDC..90 * USDC).contains(&back), "Alice has {back}");

		// The two of the text, without an agent.
		agent.kill_9().await?;
		let withdraw = "clustercast-bridge withdraw --account SURI --to ADDRESS --amount USDC";
		let claim = "clustercast-bridge claim ID";
		ensure!(MANUAL.contains(withdraw) && MANUAL.contains(claim));
		let withdraw = withdraw
			.replace("SURI", "//Bob")
			.replace("ADDRESS", &world.alice.address.to_string())
			.replace("USDC", "5");
		let done = world.shell(lab, &withdraw).await?;
		let claim = claim.replace("ID", &done["withdrawal"].to_string());
		// Once it is signed.
		let claimed = async || {
			Ok(world
				.shell(lab, &claim)
				.await
				.is_ok_and(|done| done["executed"] == true))
		};
		world.l2.wait("a claim is executed", claimed).await?;
		ensure!(world.l2.usdc(&world.alice.address).await? > back + 4 * USDC);
		world.check_supply(genesis).await
	});
}

#[test]
fn what_the_chain_does_not_know_comes_back_and_stops_nobody() {
	Lab::run(async |lab| {
		let world = World::start(lab, 4, &[]).await?;
		let genesis = world.chain().bridge(None).await?.issuance;
		let refund_to = EthereumAddress([0x61; 20]);
		world.deposit(10 * USDC, 0).await?;
		let unknown = (200, &b"what will be known one day"[..]);
		world
			.l2
			.deposit_of_kind(&world.alice.address, unknown, 20 * USDC, &refund_to)
			.await?;
		let behind = world.deposit(5 * USDC, 0).await?;
		let mut agent = Agent::start(lab, &world.network, &world.l2, &world.payer).await?;
		world.wait_imported(3).await?;
		ensure!(
			world.holdings().await? == (15 * USDC, 0),
			"{:?}",
			world.holdings().await?
		);
		let status = world.status(behind["transaction"].as_str().context("a hash")?).await?;
		ensure!(status["deposits"][0]["stage"] == "imported", "{status}");
		// The agent asks for the refund, and executes it though it pays nothing.
		world.wait_executed(0).await?;
		ensure!(world.l2.usdc(&refund_to).await? == 20 * USDC);
		world.check_supply(genesis).await?;

		// Meanwhile the light client has come further, and the next attestation says how far.
		world.deposit(USDC, 0).await?;
		world.wait_imported(4).await?;
		let attested = world.chain().bridge(None).await?.attested.context("attested")?;
		let known = world.l2.known_in(attested.l2_block).await?;
		ensure!(
			known > 0 && known == attested.light_client_block.into(),
			"the light client knew block {known}: {attested:?}"
		);
		ensure!(attested.l2 == CHAIN_ID && attested.kind == attestation::VAULT);
		agent.check_alive()
	});
}

#[test]
fn agent_follows_the_validators_from_set_to_set() {
	Lab::run(async |lab| {
		let world = World::start(lab, 4, &[]).await?;
		let genesis = world.chain().bridge(None).await?.issuance;
		let agent = Agent::start(lab, &world.network, &world.l2, &world.payer).await?;
		world.deposit(20 * USDC, 0).await?;
		world.wait_imported(1).await?;
		agent.kill_9().await?;

		// Two hand-overs that nobody relays, with a withdrawal before them and one behind. What the agent sent before may still come.
		world.l2.settled(&world.payer.address).await?;
		let known = world.l2.set().await?;
		let before = world.withdraw(4 * USDC).await?;
		world.wait_set(known + 2).await?;
		let behind = world.withdraw(5 * USDC).await?;
		ensure!(world.l2.set().await? == known, "somebody relays");

		let mut agent = Agent::start(lab, &world.network, &world.l2, &world.payer).await?;
		for id in [before, behind] {
			world.wait_executed(id).await?;
		}
		let follows = world.l2.set().await?;
		ensure!(follows >= known + 2, "from {known} to {follows}");
		println!("the light client went from set {known} to {follows}");
		ensure!(world.l2.usdc(&world.alice.address).await? == 88 * USDC);
		world.check_supply(genesis).await?;
		agent.check_alive()
	});
}

#[test]
fn agent_killed_at_every_step_loses_nothing_and_pays_nothing_twice() {
	Lab::run(async |lab| {
		let world = World::start(lab, 4, &[]).await?;
		let genesis = world.chain().bridge(None).await?.issuance;
		for _ in 0..3 {
			world.deposit(10 * USDC, 0).await?;
		}
		// Lives a little longer each time, so that it dies at every step of its work.
		let mut life = Duration::from_millis(200);
		let mut requested = Vec::new();
		let mut kills = 0;
		let deadline = Instant::now() + Duration::from_secs(240);
		loop {
			ensure!(Instant::now() < deadline, "not done after {kills} kills");
			let agent = Agent::start(lab, &world.network, &world.l2, &world.payer).await?;
			sleep(life).await;
			agent.kill_9().await?;
			kills += 1;
			life += Duration::from_millis(300);
			if requested.is_empty() && world.chain().bridge(None).await?.next_deposit == 3 {
				life = Duration::from_millis(200);
				for _ in 0..3 {
					requested.push(world.withdraw(5 * USDC).await?);
				}
			}
			let Some(last) = requested.last() else { continue };
			if world.status(&last.to_string()).await?["stage"] == "executed" {
				break;
			}
		}
		println!("killed {kills} times");
		ensure!(world.l2.usdc(&world.alice.address).await? == 70 * USDC + 3 * (5 * USDC - USDC / 2));
		ensure!(world.l2.usdc(&world.payer.address).await? == 3 * USDC / 2);
		world.check_supply(genesis).await?;
		Ok(())
	});
}

#[test]
fn either_chain_goes_away_and_what_was_under_way_arrives() {
	Lab::run(async |lab| {
		let [l2_away, chain_away] = outages()?;
		let mut world = World::start(lab, 4, &[]).await?;
		let genesis = world.chain().bridge(None).await?.issuance;
		let mut agent = Agent::start(lab, &world.network, &world.l2, &world.payer).await?;
		world.deposit(20 * USDC, 0).await?;
		world.wait_imported(1).await?;

		let id = world.withdraw(5 * USDC).await?;
		world.deposit(10 * USDC, 0).await?;
		world.l2.stop().await?;
		sleep(l2_away).await;
		world.l2.resume(lab).await?;
		let back = Instant::now();
		world.wait_imported(2).await?;
		world.wait_executed(id).await?;
		println!("the L2 was away {l2_away:?}; all was done {:?} later", back.elapsed());

		world.deposit(10 * USDC, 0).await?;
		let id = world.withdraw(5 * USDC).await?;
		for validator in 0..4 {
			world.network.kill_9(validator).await?;
		}
		sleep(chain_away).await;
		world.network.restart_all(lab).await?;
		let back = Instant::now();
		world.wait_imported(3).await?;
		world.wait_executed(id).await?;
		println!(
			"the chain was away {chain_away:?}; all was done {:?} later",
			back.elapsed()
		);
		world.check_supply(genesis).await?;
		ensure!(world.l2.usdc(&world.alice.address).await? == 60 * USDC + 2 * (5 * USDC - USDC / 2));
		agent.check_alive()
	});
}

#[test]
fn what_is_reorganised_or_seen_by_a_liar_alone_never_mints() {
	Lab::run(async |lab| {
		// Looks like the L2, with a deposit that the L2 does not have.
		let mut liar = L2::start(lab, "liar", 4).await?;
		let world = World::start(lab, UNDOABLE, &[&liar]).await?;
		liar.deploy(&world.network).await?;
		liar.fund(&world.alice.address, 10_000 * USDC).await?;
		let account = world.alice.account();
		deposit(&world.network, &liar, &world.alice, &account, (9_000 * USDC, 0), None).await?;
		let _agent = Agent::start(lab, &world.network, &world.l2, &world.payer).await?;

		// In a block, then in none.
		let before = world.l2.request("evm_snapshot", json!([])).await?;
		world.deposit(50 * USDC, 0).await?;
		let undone = world.l2.request("evm_revert", json!([before])).await?;
		ensure!(undone == true, "{undone}");
		world.deposit(7 * USDC, 0).await?;
		world.import_too_early().await?;
		world.wait_imported(1).await?;
		ensure!(
			world.holdings().await? == (7 * USDC, 0),
			"{:?}",
			world.holdings().await?
		);
		let bridge = world.chain().bridge(None).await?;
		let attested = bridge.attested.context("attested")?;
		ensure!((attested.count, bridge.imported) == (1, 7 * USDC), "{bridge:?}");
		let pending = world.status(&world.alice.address.to_string()).await?;
		ensure!(pending["pendingUsdc"] == "0.000000", "{pending}");
		Ok(())
	});
}
