import { hit } from './target.js';

export default function () {
  hit('/load'
}
