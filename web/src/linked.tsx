// A text whose addresses on openrouter.ai are links: where keys are made, where credit is bought.

const ADDRESS = /(https:\/\/openrouter\.ai\/[\w/-]*)/;

export function Linked({ text }: { text: string }) {
  return (
    <>
      {text.split(ADDRESS).map((part) =>
        ADDRESS.test(part) ? (
          <a key={part} href={part} target="_blank" rel="noreferrer">
            {part}
          </a>
        ) : (
          part
        ),
      )}
    </>
  );
}
