//! The pallets that `scripts/weights` measures.

frame_benchmarking::define_benchmarks!(
	[pallet_balances, Balances]
	[pallet_beefy_mmr, BeefyMmrLeaf]
	[pallet_fraud_proofs, FraudProofs]
	[pallet_mmr, Mmr]
	[pallet_multisig, Multisig]
	[pallet_relayer_registry, RelayerRegistry]
	[pallet_stream_keys, StreamKeys]
	[pallet_ticket_broker, TicketBroker]
	[pallet_timestamp, Timestamp]
	[pallet_transaction_payment, TransactionPayment]
	[pallet_usdc_bridge, UsdcBridge]
	[pallet_utility, Utility]
	[pallet_validators, Validators]
);
