//! What validators say of the vault, and when it counts.

use crate::{
	pallet::{Attested, Attestors, Config, Error, Event, Pallet, Vault},
	types::Attestor,
	AttestationOffences, AttestorId,
};
use alloc::vec::Vec;
use clustercast_primitives::{
	bridge::{attestation::VAULT, threshold, Attestation, DoubleAttestation},
	crypto::SignedMessage,
	PublicKey, Signature,
};
use frame_support::{ensure, pallet_prelude::*, traits::OneSessionHandler};
use sp_core::sr25519;
use sp_runtime::{transaction_validity::TransactionPriority, BoundToRuntimeAppPublic};

/// Before what people send: nothing can be imported without it.
const PRIORITY: TransactionPriority = TransactionPriority::MAX / 2;

/// Blocks for which one waits in a pool: after them validators have something newer to say.
const LONGEVITY: u64 = 32;

impl<T: Config> Pallet<T> {
	/// The keys with which the validators of this session attest, in its order.
	pub fn keys() -> Vec<AttestorId> {
		let key = |attestor: Attestor<T::AccountId>| sr25519::Public::from_raw(attestor.key.0).into();
		Attestors::<T>::get().into_iter().map(key).collect()
	}

	/// Whether this validator may say this now. Whether it does is for [`Self::check_signature`].
	fn check_attestation(
		attestation: &Attestation,
		attestor: Option<&Attestor<T::AccountId>>,
	) -> Result<PublicKey, Error<T>> {
		let vault = Vault::<T>::get().ok_or(Error::NoVault)?;
		let attestor = attestor.ok_or(Error::UnknownAttestor)?;
		ensure!(!attestor.muted, Error::AttestorMuted);
		ensure!(attestation.l2 == vault.l2.chain_id, Error::OtherL2);
		ensure!(attestation.kind == VAULT, Error::OtherKind);
		ensure!(
			attestation.l2_block.is_multiple_of(vault.interval.into()),
			Error::NotACheckpoint
		);
		let accepted_count = match Attested::<T>::get() {
			Some(accepted) => {
				ensure!(*attestation != accepted, Error::AlreadyAccepted);
				ensure!(!attestation.contradicts(&accepted), Error::ContradictsAccepted);
				ensure!(attestation.l2_block > accepted.l2_block, Error::Outdated);
				accepted.count
			},
			None => 0,
		};
		ensure!(attestation.count > accepted_count, Error::NothingNew);
		if let Some((said, block)) = attestor.said {
			ensure!(!attestation.contradicts(&said), Error::ContradictsItself);
			ensure!(attestation.l2_block > said.l2_block, Error::AlreadySaid);
			ensure!(Self::now() > block, Error::TooSoon);
		}
		Ok(attestor.key)
	}

	fn check_signature(attestation: &Attestation, key: &PublicKey, signature: &Signature) -> Result<(), Error<T>> {
		let payload = attestation.signing_payload(&Self::genesis());
		let (signature, key) = (
			sr25519::Signature::from_raw(signature.0),
			sr25519::Public::from_raw(key.0),
		);
		ensure!(
			sp_io::crypto::sr25519_verify(&signature, &payload, &key),
			Error::BadSignature
		);
		Ok(())
	}

	pub(crate) fn validate_attestation(
		attestation: &Attestation,
		attestor: u32,
		signature: &Signature,
	) -> TransactionValidity {
		let key = Self::check_attestation(attestation, Attestors::<T>::get().get(attestor as usize))
			.and_then(|key| Self::check_signature(attestation, &key, signature).map(|()| key))
			.map_err(Error::invalid)?;
		// One of each validator in the pool: a newer one takes the place of the one before.
		ValidTransaction::with_tag_prefix("UsdcBridgeAttestation")
			.priority(PRIORITY.saturating_add(attestation.l2_block))
			.and_provides(Some(key))
			.longevity(LONGEVITY)
			.propagate(true)
			.build()
	}

	/// Whether a block takes it: what the call itself checks but the signature, which it verifies once.
	pub(crate) fn admit_attestation(attestation: &Attestation, attestor: u32) -> Result<(), TransactionValidityError> {
		let attestors = Attestors::<T>::get();
		let admitted = Self::check_attestation(attestation, attestors.get(attestor as usize));
		admitted.map(|_| ()).map_err(Error::invalid)
	}

	pub(crate) fn do_attest(attestation: Attestation, attestor: u32, signature: &Signature) -> DispatchResult {
		let mut attestors = Attestors::<T>::get();
		let key = Self::check_attestation(&attestation, attestors.get(attestor as usize))?;
		Self::check_signature(&attestation, &key, signature)?;
		let speaker = attestors
			.get_mut(attestor as usize)
			.ok_or(Error::<T>::UnknownAttestor)?;
		speaker.said = Some((attestation, Self::now()));
		Self::deposit_event(Event::Said {
			validator: speaker.validator.clone(),
			attestation,
		});
		Self::accept(&attestors);
		Attestors::<T>::put(attestors);
		Ok(())
	}

	/// Accepts what enough of these validators last said, if it is newer than what is accepted.
	fn accept(attestors: &[Attestor<T::AccountId>]) {
		let enough = threshold(attestors.len() as u32) as usize;
		let accepted = Attested::<T>::get();
		let newer = |said: &Attestation| {
			accepted.is_none_or(|accepted| said.l2_block > accepted.l2_block && said.count > accepted.count)
		};
		let all_said = || {
			attestors
				.iter()
				.filter_map(|attestor| attestor.said.map(|(said, _)| said))
		};
		let agreed = |said: &Attestation| all_said().filter(|other| other == said).count() >= enough;
		if let Some(attestation) = all_said().find(|said| newer(said) && agreed(said)) {
			Attested::<T>::put(attestation);
			Self::deposit_event(Event::Accepted { attestation });
		}
	}

	pub(crate) fn do_report(reporter: T::AccountId, attestor: u32, evidence: &DoubleAttestation) -> DispatchResult {
		let DoubleAttestation { first, second } = evidence;
		ensure!(first.0.contradicts(&second.0), Error::<T>::NoConflict);
		Attestors::<T>::try_mutate(|attestors| {
			let attestor = attestors
				.get_mut(attestor as usize)
				.ok_or(Error::<T>::UnknownAttestor)?;
			ensure!(!attestor.muted, Error::<T>::AttestorMuted);
			Self::check_signature(&first.0, &attestor.key, &first.1)?;
			Self::check_signature(&second.0, &attestor.key, &second.1)?;
			attestor.muted = true;
			attestor.said = None;
			T::Offences::contradicted_itself(&attestor.validator);
			Self::deposit_event(Event::Muted {
				validator: attestor.validator.clone(),
				reporter,
			});
			Ok(())
		})
	}

	/// The validators from now on. Who keeps its key keeps what it said, and stays muted. What fewer of them now need to
	/// agree on is accepted at once: they will not say it again.
	fn set_attestors<'a>(validators: impl Iterator<Item = (&'a T::AccountId, AttestorId)>)
	where
		T::AccountId: 'a,
	{
		let before = Attestors::<T>::get();
		let attestor = |(validator, key): (&T::AccountId, AttestorId)| {
			let key = PublicKey(sr25519::Public::from(key).0);
			let known = before.iter().find(|attestor| attestor.key == key);
			Attestor {
				validator: validator.clone(),
				key,
				said: known.and_then(|known| known.said),
				muted: known.is_some_and(|known| known.muted),
			}
		};
		let attestors = BoundedVec::truncate_from(validators.map(attestor).collect());
		Self::accept(&attestors);
		Attestors::<T>::put(attestors);
	}
}

impl<T: Config> BoundToRuntimeAppPublic for Pallet<T> {
	type Public = AttestorId;
}

impl<T: Config> OneSessionHandler<T::AccountId> for Pallet<T> {
	type Key = AttestorId;

	fn on_genesis_session<'a, I>(validators: I)
	where
		I: Iterator<Item = (&'a T::AccountId, AttestorId)> + 'a,
		T::AccountId: 'a,
	{
		Self::set_attestors(validators);
	}

	fn on_new_session<'a, I>(_: bool, validators: I, _: I)
	where
		I: Iterator<Item = (&'a T::AccountId, AttestorId)> + 'a,
		T::AccountId: 'a,
	{
		Self::set_attestors(validators);
	}

	fn on_disabled(_: u32) {}
}
