//! A TCP port behind which another server may be put at any moment, or none: what happens to programs whose node is replaced, goes
//! down or stands still.

use crate::lab::free_port;
use anyhow::Result;
use std::net::SocketAddr;
use tokio::{
	io::{copy_bidirectional, AsyncReadExt, AsyncWriteExt},
	net::{TcpListener, TcpStream},
	sync::watch,
};

/// See the module. Gone when it is dropped, and what runs through it with it.
pub struct Switch {
	own: SocketAddr,
	behind: watch::Sender<Option<u16>>,
}

impl Switch {
	/// Leads to this port of loopback.
	pub async fn to(port: u16) -> Result<Self> {
		Self::on(TcpListener::bind(("127.0.0.1", free_port()?)).await?, port)
	}

	/// The same, whoever reaches this listener.
	pub fn on(listener: TcpListener, port: u16) -> Result<Self> {
		let own = listener.local_addr()?;
		let (behind, target) = watch::channel(Some(port));
		tokio::spawn(run(listener, own, target));
		Ok(Self { own, behind })
	}

	/// As a WebSocket's URL.
	pub fn url(&self) -> String {
		format!("ws://{}", self.own)
	}

	/// From now on it leads there, or nowhere; connections are broken.
	pub fn turn(&self, to: Option<u16>) {
		self.behind.send_replace(to);
	}
}

async fn run(listener: TcpListener, own: SocketAddr, mut target: watch::Receiver<Option<u16>>) {
	loop {
		let accepted = tokio::select! {
			accepted = listener.accept() => accepted,
			// The switch is gone.
			Err(_) = target.wait_for(|_| false) => return,
		};
		let (Ok((mut client, _)), mut turned) = (accepted, target.clone()) else {
			continue;
		};
		let Some(port) = *turned.borrow_and_update() else {
			continue;
		};
		tokio::spawn(async move {
			let through = async {
				let mut server = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).await?;
				// A node answers only who asks for it by its own name.
				let mut asked = vec![0; 4_096];
				let length = client.read(&mut asked).await?;
				let asked = String::from_utf8_lossy(&asked[..length]);
				let asked = asked.replacen(&own.to_string(), &format!("127.0.0.1:{port}"), 1);
				server.write_all(asked.as_bytes()).await?;
				copy_bidirectional(&mut client, &mut server).await
			};
			tokio::select! {
				_ = through => {},
				_ = turned.changed() => {},
			}
		});
	}
}
