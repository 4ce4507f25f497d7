//! Weights of `pallet_fraud_proofs`.
use core::marker::PhantomData;
use frame_support::{traits::Get, weights::Weight};

/// Weights of `pallet_fraud_proofs`.
pub struct WeightInfo<T>(PhantomData<T>);

impl<T: frame_system::Config> pallet_fraud_proofs::WeightInfo for WeightInfo<T> {
	fn report_invalid_chunk() -> Weight {
		Weight::from_parts(2_000_000_000, 20_000).saturating_add(T::DbWeight::get().reads_writes(12, 8))
	}
	fn report_equivocation() -> Weight {
		Weight::from_parts(2_000_000_000, 20_000).saturating_add(T::DbWeight::get().reads_writes(8, 6))
	}
	fn forget(n: u32) -> Weight {
		Weight::from_parts(50_000_000, 4_000)
			.saturating_add(Weight::from_parts(20_000_000, 2_600).saturating_mul(n.into()))
			.saturating_add(T::DbWeight::get().reads_writes(2 + u64::from(n), 1 + u64::from(n)))
	}
}
