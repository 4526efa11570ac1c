//! Framing of files in blocks ([MS-RA] 3.9.5).

use std::hint::black_box;

use ra_session::{
    Attempts, Channel, Credentials, Event, Expert, ExpertConfig, FileEvent, FileOffer, Input, Novice,
    NoviceConfig, Output, ServerKey, TransferId,
};
use remassist_core::Time;
use testkit::bench::{heading, ratio};

const SIZE: usize = 100_000_000;
const BUFFER: usize = 16 << 10;
const NOW: Time = Time(0);

const STRING: &str = "<E><A KH=\"YiKwWUY8Ioq5NB3wAQHSbs5kwrM=\" ID=\"c2Vzc2lvbg==\"/><C><T ID=\"1\" SID=\"7\">\
    <L P=\"3389\" N=\"192.0.2.10\"/></T></C></E>";

/// An established session of version 2.
struct Pair {
    expert: Expert,
    novice: Novice,
}

impl Pair {
    fn new(channels: &[Channel]) -> Self {
        let credentials = Credentials::invitation(STRING, None, None).unwrap();
        let mut expert = Expert::new(NOW, ExpertConfig::new(credentials.clone()), ServerKey::Match).unwrap();
        let mut novice = Novice::new(NOW, NoviceConfig::new([credentials]), Attempts::new(1)).unwrap();
        for channel in channels {
            expert.handle(NOW, Input::ChannelOpened(*channel));
            novice.handle(NOW, Input::ChannelOpened(*channel));
        }
        novice.client_info(expert.client_info());
        novice.start(NOW).unwrap();
        let mut this = Self { expert, novice };
        this.run();
        this.novice.allow_view().unwrap();
        this.novice.view_started().unwrap();
        this.expert.screen_started();
        this.run();
        this
    }

    /// Delivers everything; the novice takes every file.
    fn run(&mut self) {
        let mut idle = 0;
        while idle < 2 {
            idle = 0;
            match self.expert.poll() {
                Output::Send { channel, bytes } => {
                    self.novice.handle(NOW, Input::Data { channel, bytes: &bytes })
                }
                Output::Wait(_) => idle += 1,
                _ => {}
            }
            match self.novice.poll() {
                Output::Send { channel, bytes } => {
                    self.expert.handle(NOW, Input::Data { channel, bytes: &bytes })
                }
                Output::Open(channel) => {
                    self.expert.handle(NOW, Input::ChannelOpened(channel));
                    self.novice.handle(NOW, Input::ChannelOpened(channel));
                }
                Output::Close(channel) => self.expert.handle(NOW, Input::ChannelClosed(channel)),
                Output::Event(Event::File(FileEvent::Offered { id, .. })) => {
                    self.novice.files().accept(id).unwrap()
                }
                Output::Wait(_) => idle += 1,
                _ => {}
            }
        }
    }

    /// A transfer that waits for its blocks.
    fn offer(&mut self) -> TransferId {
        let id = self.expert.files().send(FileOffer::new("disk.img", SIZE as u64)).unwrap();
        self.run();
        id
    }

    /// Every block with its header, as many as fit at a time into the buffer that is then written to the connection.
    fn frame(&mut self, id: TransferId, file: &[u8], buffer: &mut [u8; BUFFER]) -> usize {
        let (mut used, mut total) = (0, 0);
        let blocks = self.expert.files().blocks(id, file).unwrap();
        for block in &blocks {
            let len = block.copy_to(&mut buffer[used..]).unwrap_or_else(|| {
                black_box(&buffer[..used]);
                used = 0;
                block.copy_to(buffer).unwrap()
            });
            used += len;
            total += len;
        }
        black_box(&buffer[..used]);
        total
    }
}

fn main() {
    heading("file transfer framing");
    let file: Vec<u8> = (0..SIZE).map(|n| (n % 251) as u8).collect();
    // Written once here, so that no page of it has to be found while it is measured.
    let mut copy = vec![1; SIZE];
    copy.copy_from_slice(&file);
    let mut buffer = Box::new([0; BUFFER]);
    let static_channel: &[Channel] = &[Channel::Remdesk];
    let dynamic_channels: &[Channel] = &[Channel::Control, Channel::Chat, Channel::Commands];
    let mut whole = || {
        copy.copy_from_slice(black_box(&file));
        black_box(&copy);
    };
    let read = || {
        for chunk in black_box(&file).chunks(BUFFER) {
            buffer[..chunk.len()].copy_from_slice(chunk);
            black_box(&buffer);
        }
    };
    // What nothing that reads the file can be below.
    ratio("100 MB into 16 KiB, without blocks", 0.6, read, &mut whole);
    for (name, channels, header) in
        [("packets on remdesk", static_channel, 20), ("channel of its own", dynamic_channels, 0)]
    {
        let mut pair = Pair::new(channels);
        let blocks = SIZE.div_ceil(1024);
        ratio(
            &format!("100 MB in 1,024-byte blocks, {name}"),
            0.6,
            || {
                // Offer, answer and END are part of it; the receiver, who sees no block and complains, is not.
                let id = pair.offer();
                let total = pair.frame(id, black_box(&file), &mut buffer);
                assert_eq!(total, SIZE + blocks * header);
                pair.run();
            },
            &mut whole,
        );
    }
}
