// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ILightClient} from "./interfaces/ILightClient.sol";
import {Beefy} from "./lib/Beefy.sol";
import {Mmr} from "./lib/Mmr.sol";

/// @title Follows the chain by what its validators sign
/// @notice Takes a BEEFY commitment with the signatures of more than two thirds of the validators, all checked in one
/// transaction, and keeps the Merkle mountain range's root that it names. Which validators: first the current set, then the
/// next, once a commitment of the next set comes with the leaf that names the one after. Anyone may submit. Nobody owns it,
/// nothing in it can be changed.
contract LightClient is ILightClient {
	/// @notice Roots kept. A proof against a root stays good while this many newer ones arrive, and whoever comes too late
	/// proves against a newer root.
	uint256 public constant ROOTS = 16;

	/// @dev One slot and all of it, so that a commitment within a set's time writes this, a root and nothing else.
	struct State {
		/// The current set's; the next has the id after.
		uint64 setId;
		uint32 length;
		uint32 nextLength;
		/// Of the newest commitment.
		uint32 blockNumber;
		/// Accepted so far; the next one's root goes to slot `commitments % ROOTS`.
		uint96 commitments;
	}

	State public state;
	/// @dev The commitments to the sets of `state`.
	bytes32 private currentCommitment;
	bytes32 private nextCommitment;

	/// @inheritdoc ILightClient
	bytes32[ROOTS] public roots;

	/// @notice A commitment was accepted; its root is in `roots(slot)`.
	event Committed(uint32 blockNumber, bytes32 mmrRoot, uint256 slot);
	/// @notice Set `setId` is the current one now.
	event HandedOver(uint64 indexed setId);

	/// @notice The block is not above the newest.
	error StaleBlock(uint32 blockNumber, uint32 newest);
	/// @notice The set's time is over.
	error StaleSet(uint64 setId, uint64 expected);
	/// @notice The set's time has not come: hand-overs are missing.
	error UnknownSet(uint64 setId, uint64 expected);
	/// @notice The leaf is not under the commitment's root.
	error WrongLeaf();
	/// @notice The leaf names another set than the one after the commitment's.
	error WrongNextSet(uint64 setId, uint64 expected);
	/// @notice A set of no validator, or of more than 256.
	error SetLength(uint256 length);

	/// @param current The set whose commitments are accepted first.
	/// @param next The one after.
	constructor(Beefy.ValidatorSet memory current, Beefy.ValidatorSet memory next) {
		if (next.id != current.id + 1) revert WrongNextSet(next.id, current.id + 1);
		checkLength(current.length);
		checkLength(next.length);
		state =
			State({setId: current.id, length: current.length, nextLength: next.length, blockNumber: 0, commitments: 0});
		currentCommitment = current.commitment;
		nextCommitment = next.commitment;
	}

	/// @inheritdoc ILightClient
	function newestBlock() external view returns (uint32) {
		return state.blockNumber;
	}

	/// @notice The set whose commitments `submit` takes.
	function currentSet() external view returns (Beefy.ValidatorSet memory) {
		return Beefy.ValidatorSet({id: state.setId, length: state.length, commitment: currentCommitment});
	}

	/// @notice The set whose commitments `handOver` takes.
	function nextSet() external view returns (Beefy.ValidatorSet memory) {
		return Beefy.ValidatorSet({id: state.setId + 1, length: state.nextLength, commitment: nextCommitment});
	}

	/// @notice Takes a commitment of the current set.
	function submit(Beefy.Commitment calldata commitment, Beefy.Signatures calldata signed) external {
		State memory known = state;
		check(known, known.setId, commitment);
		Beefy.verify(
			Beefy.ValidatorSet({id: known.setId, length: known.length, commitment: currentCommitment}),
			Beefy.hash(commitment),
			signed
		);
		accept(known, commitment);
	}

	/// @notice Takes a commitment of the next set, with a leaf under its root that names the set after; the next set is the
	/// current one from here.
	function handOver(
		Beefy.Commitment calldata commitment,
		Beefy.Signatures calldata signed,
		Mmr.Leaf calldata leaf,
		Mmr.Proof calldata proof
	) external {
		State memory known = state;
		uint64 setId = known.setId + 1;
		bytes32 successor = nextCommitment;
		check(known, setId, commitment);
		Beefy.verify(
			Beefy.ValidatorSet({id: setId, length: known.nextLength, commitment: successor}),
			Beefy.hash(commitment),
			signed
		);
		if (Mmr.root(Mmr.hash(leaf), proof) != commitment.mmrRoot) revert WrongLeaf();
		if (leaf.nextSetId != setId + 1) revert WrongNextSet(leaf.nextSetId, setId + 1);
		checkLength(leaf.nextSetLength);

		known.setId = setId;
		known.length = known.nextLength;
		known.nextLength = leaf.nextSetLength;
		currentCommitment = successor;
		nextCommitment = leaf.nextSetCommitment;
		accept(known, commitment);
		emit HandedOver(setId);
	}

	function check(State memory known, uint64 expected, Beefy.Commitment calldata commitment) private pure {
		if (commitment.setId < expected) revert StaleSet(commitment.setId, expected);
		if (commitment.setId > expected) revert UnknownSet(commitment.setId, expected);
		if (commitment.blockNumber <= known.blockNumber) revert StaleBlock(commitment.blockNumber, known.blockNumber);
	}

	function accept(State memory known, Beefy.Commitment calldata commitment) private {
		uint256 slot = known.commitments % ROOTS;
		known.blockNumber = commitment.blockNumber;
		++known.commitments;
		state = known;
		roots[slot] = commitment.mmrRoot;
		emit Committed(commitment.blockNumber, commitment.mmrRoot, slot);
	}

	/// @dev A set of none would sign anything; one above the bound could never sign and so never hand over.
	function checkLength(uint256 length) private pure {
		if (length == 0 || length > Beefy.MAX_VALIDATORS) revert SetLength(length);
	}
}
