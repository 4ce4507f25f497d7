// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Vault} from "../../src/Vault.sol";
import {Beefy} from "../../src/lib/Beefy.sol";
import {Mmr} from "../../src/lib/Mmr.sol";
import {OutgoingTree} from "../../src/lib/OutgoingTree.sol";
import {Reference} from "./Reference.sol";
import {vm} from "./Vm.sol";

/// @title A chain as the light client sees it: validators with real keys, blocks with their leaves, commitments
/// @notice Block `n` has leaf `n - 1`. The set of id `i` signs until `newSession`.
contract Chain {
	uint256 public immutable size;
	uint64 public setId;
	Mmr.Leaf[] private leaves;
	bytes32[] private hashes;
	/// @dev Withdrawals released by block, hashed.
	mapping(uint256 blockNumber => bytes32[] leaves) private outgoing;

	constructor(uint256 size_, uint64 setId_) {
		size = size_;
		setId = setId_;
	}

	/// @notice Validator `i` of set `id`.
	function key(uint64 id, uint256 i) public pure returns (uint256) {
		return uint256(keccak256(abi.encode("validator", id, i)));
	}

	function validators(uint64 id) public view returns (address[] memory members) {
		members = new address[](size);
		for (uint256 i = 0; i < size; ++i) {
			members[i] = vm.addr(key(id, i));
		}
	}

	function set(uint64 id) public view returns (Beefy.ValidatorSet memory) {
		return Beefy.ValidatorSet({id: id, length: uint32(size), commitment: commitmentOf(validators(id))});
	}

	function commitmentOf(address[] memory members) public pure returns (bytes32) {
		bytes32[] memory row = new bytes32[](members.length);
		for (uint256 i = 0; i < row.length; ++i) {
			row[i] = keccak256(abi.encodePacked(members[i]));
		}
		return Reference.root("", row);
	}

	/// @notice The next block, in which `released` go out.
	function produce(OutgoingTree.Withdrawal[] memory released) public returns (uint32 blockNumber) {
		blockNumber = uint32(leaves.length) + 1;
		for (uint256 i = 0; i < released.length; ++i) {
			OutgoingTree.Withdrawal memory w = released[i];
			outgoing[blockNumber].push(keccak256(abi.encodePacked(hex"00", w.l2, w.kind, w.id, w.to, w.amount, w.fee)));
		}
		Beefy.ValidatorSet memory next = set(setId + 1);
		Mmr.Leaf memory leaf = Mmr.Leaf({
			version: 0,
			parentNumber: blockNumber - 1,
			parentHash: keccak256(abi.encode("parent of", blockNumber)),
			nextSetId: next.id,
			nextSetLength: next.length,
			nextSetCommitment: next.commitment,
			extra: Reference.root(hex"01", outgoing[blockNumber])
		});
		leaves.push(leaf);
		hashes.push(hashOf(leaf));
	}

	/// @notice The next block, the first of a new set's time.
	function newSession() external returns (uint32) {
		++setId;
		return produce(new OutgoingTree.Withdrawal[](0));
	}

	/// @notice What the validators of now sign about the newest block.
	function commitment() external view returns (Beefy.Commitment memory) {
		return Beefy.Commitment({mmrRoot: root(), blockNumber: uint32(leaves.length), setId: setId});
	}

	function root() public view returns (bytes32) {
		return Reference.mmrRoot(hashes);
	}

	/// @notice `signed` by those of the set that `signers` names, in the set's order.
	function sign(Beefy.Commitment memory signed, uint256 signers) public view returns (Beefy.Signatures memory s) {
		bytes32 digest = digestOf(signed);
		s.signers = signers;
		s.validators = validators(signed.setId);
		uint256 count = 0;
		for (uint256 i = 0; i < size; ++i) {
			count += (signers >> i) & 1;
		}
		s.signatures = new Beefy.Signature[](count);
		count = 0;
		for (uint256 i = 0; i < size; ++i) {
			if ((signers >> i) & 1 == 0) continue;
			(bytes32 r, bytes32 vs) = vm.signCompact(key(signed.setId, i), digest);
			s.signatures[count++] = Beefy.Signature({r: r, vs: vs});
		}
	}

	/// @notice As few signers as suffice: the first of the set.
	function quorum() public view returns (uint256) {
		return (1 << (size - (size - 1) / 3)) - 1;
	}

	function leafOf(uint32 blockNumber) public view returns (Mmr.Leaf memory) {
		return leaves[blockNumber - 1];
	}

	/// @notice From the leaf of `blockNumber` to the newest root.
	function proofOf(uint32 blockNumber) public view returns (Mmr.Proof memory) {
		return Reference.mmrProof(hashes, blockNumber - 1);
	}

	/// @notice That the withdrawal at `index` of `blockNumber` is under the newest root, kept in `slot`.
	function prove(uint32 blockNumber, uint32 index, uint8 slot) external view returns (Vault.Proof memory) {
		bytes32[] memory released = outgoing[blockNumber];
		return Vault.Proof({
			outgoing: OutgoingTree.Proof({
				index: index, width: uint32(released.length), siblings: Reference.path(hex"01", released, index)
			}),
			leaf: leafOf(blockNumber),
			mmr: proofOf(blockNumber),
			slot: slot
		});
	}

	function digestOf(Beefy.Commitment memory c) public pure returns (bytes32) {
		return keccak256(bytes.concat(hex"04", "mh", hex"80", c.mmrRoot, little(c.blockNumber, 4), little(c.setId, 8)));
	}

	function hashOf(Mmr.Leaf memory l) public pure returns (bytes32) {
		return keccak256(
			bytes.concat(
				bytes1(l.version),
				little(l.parentNumber, 4),
				l.parentHash,
				little(l.nextSetId, 8),
				little(l.nextSetLength, 4),
				l.nextSetCommitment,
				l.extra
			)
		);
	}

	function little(uint256 value, uint256 width) private pure returns (bytes memory raw) {
		raw = new bytes(width);
		for (uint256 i = 0; i < width; ++i) {
			raw[i] = bytes1(uint8(value >> (8 * i)));
		}
	}
}
